// Units of a pool that join and leave while it serves.
//
// Model:   a unit is an instance: off, loading, serving or draining. Who wants so many units takes
//          draining ones back first (they still hold their weights), then starts those that are
//          off: they serve when their weights are there. Who wants fewer drops loading units first,
//          then has those with the fewest requests drain: they take no new requests, finish theirs
//          and are off. By schedule the wanted units are steps of the calendar. By load
//              wanted = ceil(load of all serving units / target),
//          looked at every so often; within the tolerance of the target nothing changes, and units
//          leave only for the largest number wanted during the last `settle`.
//          GPUs are held, and paid, from the start of loading until the unit is off.
// Source:  the rule of the Kubernetes HorizontalPodAutoscaler (kubernetes.io, "Horizontal Pod
//          Autoscaling", algorithm details), read 2026-11.
// Omits:   scarce GPUs and failed starts; prediction of load.
// Layer:   serving.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/sim_time.h"
#include "core/time_windows.h"
#include "serving/autoscaling.h"

namespace moesim::serving {

enum class UnitState : std::uint8_t { Off, Loading, Serving, Draining };

/// A unit that was not off, in one state; on both clocks (TimeWindows).
struct UnitSpell {
  std::int64_t unit = 0;
  UnitState state = UnitState::Off;
  SimTime from{}, to{};          ///< Of the calendar.
  SimTime run_from{}, run_to{};  ///< Of the run.
};

/// Mean units in each state over a span of time.
struct HeldUnits {
  double serving = 0;
  double loading = 0;
  double draining = 0;
  [[nodiscard]] double all() const { return serving + loading + draining; }
};

class Autoscaler {
 public:
  /// Units wanted at time 0 serve from then on. Precondition: wanted units are 1..units.
  Autoscaler(const Autoscaling& settings, std::int64_t units, TimeWindows windows);

  [[nodiscard]] const Autoscaling& settings() const { return settings_; }
  [[nodiscard]] UnitState state(std::size_t unit) const { return units_[unit].state; }
  /// Whether the unit takes new requests.
  [[nodiscard]] bool takes(std::size_t unit) const {
    return units_[unit].state == UnitState::Serving;
  }
  [[nodiscard]] std::int64_t units() const { return static_cast<std::int64_t>(units_.size()); }

  /// By schedule: when the wanted units change next, and to how many.
  [[nodiscard]] std::optional<ScheduleStep> next_step() const;
  /// The next step, if it is due.
  std::optional<ScheduleStep> take_step(SimTime calendar);
  /// By load: units wanted at `calendar` if all serving units together carry `load`.
  [[nodiscard]] std::int64_t wanted(double load, SimTime calendar);

  /// A unit that begins to load; `ready` ends that, if nothing came between.
  struct Start {
    std::size_t unit;
    std::uint64_t generation;
  };
  /// Turns to `wanted` units. `requests`: of each unit. Returns the units that begin to load; valid
  /// until the next call.
  std::span<const Start> turn_to(std::int64_t wanted, std::span<const std::int64_t> requests,
                                 SimTime calendar);
  /// False: the start was called off.
  bool ready(const Start& start);
  /// A draining unit has no request left.
  void emptied(std::size_t unit, SimTime calendar);

  // At the end of a run.
  /// Ends what goes on.
  void stop(SimTime calendar);
  [[nodiscard]] const std::vector<UnitSpell>& spells() const { return spells_; }
  /// Between two moments of the run. Serving and loading units count by the calendar, draining
  /// ones for as long as the run takes to finish their requests. Nothing between them: the units
  /// that served at the start.
  [[nodiscard]] HeldUnits mean_held(SimTime run_from, SimTime run_to) const;
  /// Time of the run in which units were not off, all units together.
  [[nodiscard]] Seconds run_time() const;
  /// Most units that served or loaded at once, between two moments of the run.
  [[nodiscard]] std::int64_t most_units(SimTime run_from, SimTime run_to) const;

 private:
  struct Unit {
    UnitState state = UnitState::Off;
    std::uint64_t generation = 0;
    SimTime since{};      ///< Of the calendar.
    SimTime run_since{};  ///< Of the run.
  };
  void become(std::size_t unit, UnitState state, SimTime calendar);
  [[nodiscard]] std::int64_t active() const;
  void drop_one(std::span<const std::int64_t> requests, SimTime calendar);
  void add_one(SimTime calendar);

  Autoscaling settings_;
  TimeWindows windows_;
  std::vector<Unit> units_;
  std::int64_t first_ = 0;  ///< Units at the start.
  SimTime stepped_{};       ///< The last step taken.
  std::vector<Start> starts_;
  std::deque<std::pair<SimTime, std::int64_t>> recommended_;  ///< By load, during `settle`.
  std::vector<UnitSpell> spells_;
};

}  // namespace moesim::serving
