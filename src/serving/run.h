// One run: the world of a fleet and the handler of its events.
//
// Internal to the folder (simulation.h is its face). Layer: serving.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "des/simulator.h"
#include "serving/fleet.h"
#include "serving/handover.h"
#include "serving/pool.h"
#include "serving/recorder.h"
#include "serving/sessions.h"
#include "serving/simulation.h"

namespace moesim::serving {

class Run {
 public:
  Run(const Fleet& fleet, const topology::Topology& topology,
      std::span<const plan::MemoryReport> memory, const Demand& demand, const SloLimits& slo,
      const RunSettings& run, const ProgressCallback& progress, ExpertPlanStore* plans);
  [[nodiscard]] RunResult execute();
  void operator()(const des::Event& event);

 private:
  enum EventKind : std::uint32_t {
    kArrival,
    kQueued,
    kIterationEnd,
    kSchedule,
    kWake,
    kStream,
    kTransfer,   ///< And the next ones: kinds of the handover.
    kTurn = 16,  ///< Of a session.
    kScale,
    kReady,
  };
  /// One instance, as events number them: through all pools.
  struct Unit {
    Pool* pool;
    std::size_t index;
    bool schedule_pending = false;
    [[nodiscard]] Instance& instance() const { return pool->instances()[index]; }
  };

  void start_demand();
  void next_arrival();
  /// False: the request was rejected.
  bool admit(const workload::Request& request, std::int64_t number,
             std::span<const std::uint64_t> ids);
  // Turns of sessions, in run_sessions.cpp.
  void arrive();
  void admit_turn(const workload::Request& request, std::int64_t number,
                  std::span<const std::uint64_t> ids);
  /// Schedules the session's next turn, if its time has become known.
  void announce_turn(std::int32_t session);
  void turn_arrives(std::int32_t session);
  void answered(std::int64_t number);
  /// The engine has taken the request in.
  void begin(SequenceIndex index);
  /// Gives an admitted request to a rank of the first pool.
  void enqueue(SequenceIndex index);
  void end_iteration(std::size_t unit, std::size_t lane);
  void wake(std::size_t unit);
  void schedule(std::size_t unit);
  [[nodiscard]] std::size_t number(const Pool& pool, std::size_t instance) const {
    return static_cast<std::size_t>(pool.deployment().first_instance) + instance;
  }
  // Two pools, in run_handover.cpp.
  void start_streaming(std::size_t unit, std::size_t lane, SimTime end);
  void stream(std::size_t unit, std::size_t lane, bool ended);
  void hand_over();
  void place_waiting();
  void receive(const des::Event& event);
  void report_progress();
  // Units that join and leave, in run_autoscaling.cpp.
  void start_scaling();
  /// Another look at the pool, while there is anything to serve.
  void look_again(std::size_t pool);
  void scale(std::size_t pool);
  void turn_to(Pool& pool, std::int64_t wanted, SimTime calendar);
  void ready(std::size_t unit, std::uint64_t generation);
  /// A draining unit may have no request left.
  void let_go(std::size_t unit);
  void stop_scaling();
  /// Nothing where all instances serve all the time.
  [[nodiscard]] std::optional<ScalingSummary> scaling(const Pool& pool) const;

  // What is left at the end, in run_summary.cpp.
  void check_conservation() const;
  void sum_pools(RunResult& result) const;
  void sum_links(RunResult& result) const;
  [[nodiscard]] std::uint64_t fingerprint(const RunResult& result) const;

  const Fleet& fleet_;
  const topology::Topology& topology_;
  std::deque<topology::Topology> kinds_;  ///< Of pools on nodes of their own kind.
  Demand demand_;
  RunSettings settings_;
  const ProgressCallback& progress_;
  des::Simulator simulator_;
  SequencePool sequences_;
  std::vector<std::unique_ptr<Pool>> pools_;
  std::vector<Unit> units_;
  std::optional<Handover> handover_;
  Recorder recorder_;
  std::optional<workload::Request> upcoming_;
  std::int64_t requests_taken_ = 0;
  SessionBook sessions_;                                               ///< Of an open loop.
  std::unordered_map<std::int64_t, std::int32_t> session_of_request_;  ///< Of those in flight.
  std::int64_t rejected_in_a_row_ = 0;                                 ///< Of a closed loop.
  std::size_t looks_pending_ = 0;                                      ///< Events of autoscaling.
  std::vector<std::int64_t> requests_;  ///< Of each unit of a pool, for a moment.
  SimTime last_finish_;
};

}  // namespace moesim::serving
