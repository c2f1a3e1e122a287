// Collectives under way on a fabric, as events of the simulator.
//
// Three kinds of events: a phase starts (its latency is over), rates are solved anew, a flow ends.
// Flows that start or end in one instant are rated once, after everything else of the instant. Only
// the earliest end is scheduled; if a change makes it another, the old event is stale and ignored.
// Layer: net.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/sim_time.h"
#include "core/units.h"
#include "des/simulator.h"
#include "net/collective_flows.h"
#include "net/fabric.h"

namespace moesim::net {

/// Fabric and simulator must outlive it; no other flows may run on the fabric's network.
class FlowRuns {
 public:
  /// Uses the event kinds first_kind to first_kind + 2.
  FlowRuns(Fabric& fabric, des::Simulator& simulator, std::uint32_t first_kind);
  static constexpr std::uint32_t kKinds = 3;

  /// Starts a collective now. `flows` must live until it has ended; without phases it ends at once
  /// (in this instant, by an event).
  void start(const CollectiveFlows& flows, std::uint64_t tag);
  /// From now on a link has another rate (FlowNetwork::set_capacity).
  void set_capacity(LinkId link, BytesPerSecond rate);
  [[nodiscard]] bool handles(const des::Event& event) const {
    return event.kind >= first_kind_ && event.kind < first_kind_ + kKinds;
  }
  /// To be called for each event it `handles`. Tags of the collectives that ended with it; valid
  /// until the next call.
  [[nodiscard]] std::span<const std::uint64_t> handle(const des::Event& event);
  [[nodiscard]] std::int64_t under_way() const { return under_way_; }

 private:
  enum Kind : std::uint32_t { kPhase, kRerate, kEnd };
  struct Run {
    const CollectiveFlows* flows = nullptr;
    std::uint64_t tag = 0;
    std::size_t phase = 0;
    std::int64_t left = 0;  ///< Transfers of the phase not ended.
  };
  void schedule_phase(std::size_t run);
  void start_phase(std::size_t run);
  void schedule_rerate();
  void rerate();
  void end_flows();

  Fabric& fabric_;
  des::Simulator& simulator_;
  std::uint32_t first_kind_;
  std::vector<Run> runs_;
  std::vector<std::size_t> free_runs_;
  std::vector<std::uint64_t> ended_;
  std::uint64_t generation_ = 0;  ///< Of the scheduled end.
  bool rerate_scheduled_ = false;
  std::int64_t under_way_ = 0;
};

/// How long a collective takes alone on an idle fabric.
[[nodiscard]] Seconds time_alone(Fabric& fabric, const CollectiveFlows& flows);

}  // namespace moesim::net
