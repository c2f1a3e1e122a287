#include "net/flow_runs.h"

#include "core/check.h"

namespace moesim::net {

using des::Priority;

FlowRuns::FlowRuns(Fabric& fabric, des::Simulator& simulator, std::uint32_t first_kind)
    : fabric_(fabric), simulator_(simulator), first_kind_(first_kind) {}

void FlowRuns::start(const CollectiveFlows& flows, std::uint64_t tag) {
  std::size_t run = runs_.size();
  if (free_runs_.empty()) {
    runs_.emplace_back();
  } else {
    run = free_runs_.back();
    free_runs_.pop_back();
  }
  runs_[run] = {.flows = &flows, .tag = tag};
  ++under_way_;
  schedule_phase(run);
}

/// The start of the phase the run stands at, or of its end if there is none.
void FlowRuns::schedule_phase(std::size_t run) {
  const Run& r = runs_[run];
  const bool over = r.phase == r.flows->phases.size();
  const Seconds latency = over ? Seconds{} : r.flows->phases[r.phase].latency;
  simulator_.schedule_after(SimTime::from(latency), Priority::TransferEnd,
                            {.kind = first_kind_ + kPhase, .b = run});
}

void FlowRuns::start_phase(std::size_t run) {
  Run& r = runs_[run];
  if (r.phase == r.flows->phases.size()) {
    ended_.push_back(r.tag);
    --under_way_;
    free_runs_.push_back(run);
    return;
  }
  const Phase& phase = r.flows->phases[r.phase];
  ++r.phase;
  r.left = static_cast<std::int64_t>(phase.transfers.size());
  if (r.left == 0) {
    schedule_phase(run);
    return;
  }
  for (const Transfer& t : phase.transfers) {
    fabric_.network().start(simulator_.now(), fabric_.path(t.from, t.to), t.bytes, run);
  }
  schedule_rerate();
}

void FlowRuns::set_capacity(LinkId link, BytesPerSecond rate) {
  FlowNetwork& network = fabric_.network();
  network.set_capacity(simulator_.now(), link, rate);
  if (!network.rated()) schedule_rerate();
}

void FlowRuns::schedule_rerate() {
  if (rerate_scheduled_) return;
  rerate_scheduled_ = true;
  simulator_.schedule_after({}, Priority::RateUpdate, {.kind = first_kind_ + kRerate});
}

void FlowRuns::rerate() {
  rerate_scheduled_ = false;
  FlowNetwork& network = fabric_.network();
  network.rerate(simulator_.now());
  ++generation_;
  if (network.active() == 0) return;
  simulator_.schedule_at(network.next_end(), Priority::TransferEnd,
                         {.kind = first_kind_ + kEnd, .b = generation_});
}

void FlowRuns::end_flows() {
  FlowNetwork& network = fabric_.network();
  // Flows may have started in this instant already; ends are known once they are rated.
  if (!network.rated()) network.rerate(simulator_.now());
  for (const EndedFlow& flow : network.end_due(simulator_.now())) {
    const auto run = static_cast<std::size_t>(flow.tag);
    if (--runs_[run].left == 0) schedule_phase(run);
  }
  schedule_rerate();
}

std::span<const std::uint64_t> FlowRuns::handle(const des::Event& event) {
  MOESIM_CHECK(handles(event), "an event of the flows");
  ended_.clear();
  switch (event.kind - first_kind_) {
    case kPhase:
      start_phase(static_cast<std::size_t>(event.b));
      break;
    case kRerate:
      rerate();
      break;
    default:
      if (event.b == generation_) end_flows();
  }
  return ended_;
}

Seconds time_alone(Fabric& fabric, const CollectiveFlows& flows) {
  MOESIM_CHECK(fabric.network().active() == 0, "the fabric is idle");
  des::Simulator simulator;
  // The network's clocks must not go back: start where it stands.
  const SimTime begin = fabric.network().last_change();
  simulator.run([](const des::Event&) {}, begin);
  FlowRuns runs(fabric, simulator, 0);
  runs.start(flows, 0);
  SimTime end;
  simulator.run([&](const des::Event& event) {
    if (!runs.handle(event).empty()) end = simulator.now();
  });
  return (end - begin).seconds();
}

}  // namespace moesim::net
