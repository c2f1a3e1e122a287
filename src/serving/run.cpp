#include "serving/run.h"

#include <utility>

#include "core/check.h"
#include "core/diagnostics.h"
#include "serving/joint_cluster.h"
#include "serving/step_overhead.h"

namespace moesim::serving {
namespace {

constexpr std::int64_t kEventsPerProgress = 16384;
constexpr std::int64_t kMaxRejectedInARow = 100'000;
/// The clock holds 106 days; what is left covers the iterations in flight.
const SimTime kLongestRun = SimTime::from(100.0 * 24.0 * 1_h);

}  // namespace

Run::Run(const Fleet& fleet, const topology::Topology& topology,
         std::span<const plan::MemoryReport> memory, const Demand& demand, const SloLimits& slo,
         const RunSettings& run, const ProgressCallback& progress, ExpertPlanStore* plans)
    : fleet_(fleet),
      topology_(topology),
      demand_(demand),
      settings_(run),
      progress_(progress),
      recorder_(slo, run, demand.classes) {
  for (std::size_t p = 0; p < fleet.pools.size(); ++p) {
    const Deployment& deployment = fleet.pools[p];
    const topology::Topology& own =
        has_kinds(fleet) ? kinds_.emplace_back(deployment.cluster) : topology;
    pools_.push_back(std::make_unique<Pool>(deployment, own, memory[p], run, plans, sequences_));
    MOESIM_CHECK(deployment.first_instance == static_cast<std::int64_t>(units_.size()),
                 "instances are not numbered through the pools");
    for (std::size_t i = 0; i < pools_.back()->instances().size(); ++i) {
      units_.push_back({.pool = pools_.back().get(), .index = i});
    }
  }
  if (fleet.is_split()) {
    handover_.emplace(fleet, topology, *pools_.back(), sequences_, simulator_, kTransfer);
    for (const Unit& unit : units_) handover_->nics().add(unit.instance());
  }
  // Prompts begin in the first pool.
  pools_.front()->cache_prefixes(demand.source->hash_block_tokens(), demand.reuse);
}

void Run::start_demand() {
  if (demand_.concurrency == 0) {
    next_arrival();
    return;
  }
  for (std::int64_t i = 0; i < demand_.concurrency; ++i) next_arrival();
}

/// Open loop: one arrival is always pending. Closed loop: the caller has freed a place now, which
/// the next request that is not rejected takes.
void Run::next_arrival() {
  const bool open = demand_.concurrency == 0;
  while (settings_.max_requests == 0 || requests_taken_ < settings_.max_requests) {
    if (recorder_.closed() || (!open && simulator_.now() > settings_.duration)) return;
    std::optional<workload::Request> request = demand_.source->next();
    if (!request || (open && request->arrival > settings_.duration)) return;
    ++requests_taken_;
    if (open) {
      upcoming_ = request;
      simulator_.schedule_at(request->arrival, des::Priority::Arrival, {.kind = kArrival});
      return;
    }
    request->arrival = simulator_.now();
    const auto ids =
        demand_.source->hash_ids().subspan(request->prefix.offset, request->prefix.count);
    if (admit(*request, requests_taken_ - 1, ids)) {
      rejected_in_a_row_ = 0;
      return;
    }
    // Time stands still while nothing is served: before an endless source of misfits users give up.
    if (++rejected_in_a_row_ >= kMaxRejectedInARow) return;
  }
}

bool Run::admit(const workload::Request& request, std::int64_t number,
                std::span<const std::uint64_t> ids) {
  recorder_.at(simulator_.now());
  recorder_.arrived();
  for (const auto& pool : pools_) {
    if (pool->fits(request)) continue;
    recorder_.rejected();
    return false;
  }
  const SequenceIndex index = sequences_.take();
  Sequence& s = sequences_[index];
  s.request = number;
  s.service_class = request.service_class;
  if (!demand_.classes.empty()) {
    s.priority = demand_.classes[static_cast<std::size_t>(request.service_class)].priority;
  }
  s.input_tokens = request.input_tokens;
  s.output_tokens = request.output_tokens;
  s.prefill_target = request.input_tokens;
  s.arrival = request.arrival;
  pools_.front()->describe(sequences_, index, ids);
  const Seconds delay = delay_of_request(pools_.front()->deployment(), settings_.seed, number);
  if (delay > Seconds{}) {
    simulator_.schedule_at(simulator_.now() + SimTime::from(delay), des::Priority::Arrival,
                           {.kind = kQueued, .a = static_cast<std::uint32_t>(index)});
  } else {
    begin(index);
  }
  return true;
}

void Run::begin(SequenceIndex index) {
  if (handover_ && handover_->is_layerwise() && sequences_[index].output_tokens > 1) {
    handover_->ask(index, simulator_.now());
    place_waiting();
  } else {
    enqueue(index);
  }
}

void Run::enqueue(SequenceIndex index) {
  Pool& first = *pools_.front();
  const Target target = first.choose(sequences_.prompt(index), sequences_[index].input_tokens);
  if (handover_) handover_->set_source(index, target);
  first.instances()[target.instance].ranks()[target.rank].enqueue(index);
  wake(number(first, target.instance));
}

void Run::wake(std::size_t unit) {
  if (units_[unit].schedule_pending) return;
  units_[unit].schedule_pending = true;
  simulator_.schedule_at(simulator_.now(), des::Priority::Schedule,
                         {.kind = kSchedule, .a = static_cast<std::uint32_t>(unit)});
}

void Run::schedule(std::size_t number) {
  Unit& unit = units_[number];
  unit.schedule_pending = false;
  if (simulator_.now() > kLongestRun) {
    throw InputError(Diagnostic{.field = "simulation",
                                .message = "the run passes 100 days of simulated time",
                                .hint = "set simulation.duration or a smaller max_requests"});
  }
  unit.pool->drift_to(settings_.windows.calendar(simulator_.now()));
  if (handover_) handover_->nics().before(number, unit.instance(), simulator_.now());
  const auto started = unit.instance().start(simulator_.now());
  if (handover_) {
    handover_->nics().after(number, unit.instance(), started.has_value(), simulator_.now());
  }
  const auto id = static_cast<std::uint32_t>(number);
  if (!started) {
    // Prompts may wait for cached blocks alone, and no iteration's end ask again.
    if (const auto loaded = unit.instance().next_loaded(simulator_.now())) {
      simulator_.schedule_at(*loaded, des::Priority::Schedule, {.kind = kWake, .a = id});
    }
    return;
  }
  simulator_.schedule_at(started->end, des::Priority::IterationEnd,
                         {.kind = kIterationEnd, .a = id, .b = started->lane});
  if (handover_ && handover_->is_layerwise()) start_streaming(number, started->lane, started->end);
  if (unit.pool->deployment().layout.pp > 1) {
    // The first stage is free before the iteration ends: another lane may start then.
    unit.schedule_pending = true;
    simulator_.schedule_at(started->first_stage_free, des::Priority::Schedule,
                           {.kind = kSchedule, .a = id});
  }
}

void Run::end_iteration(std::size_t unit, std::size_t lane) {
  recorder_.at(simulator_.now());
  const std::int64_t before = recorder_.completed();
  if (handover_ && handover_->is_layerwise()) stream(unit, lane, true);
  units_[unit].instance().finish(lane, simulator_.now(), recorder_);
  const std::int64_t ended = recorder_.completed() - before;
  if (ended > 0) last_finish_ = simulator_.now();
  if (!session_of_request_.empty()) {
    for (std::int64_t i = before; i < recorder_.completed(); ++i) {
      answered(recorder_.record(i).number);
    }
  }
  (void)recorder_.close_if_certain();
  if (demand_.concurrency > 0) {
    for (std::int64_t i = 0; i < ended; ++i) next_arrival();
  }
  if (handover_) hand_over();
  let_go(unit);
  wake(unit);
}

void Run::operator()(const des::Event& event) {
  switch (event.kind) {
    case kArrival:
      arrive();
      break;
    case kIterationEnd:
      end_iteration(event.a, event.b);
      break;
    case kSchedule:
      schedule(event.a);
      break;
    case kStream:
      stream(event.a, event.b, false);
      break;
    case kWake:
      wake(event.a);
      break;
    case kTurn:
      turn_arrives(static_cast<std::int32_t>(event.a));
      break;
    case kScale:
      scale(event.a);
      break;
    case kReady:
      ready(event.a, event.b);
      break;
    case kQueued:
      begin(static_cast<SequenceIndex>(event.a));
      break;
    default:
      MOESIM_CHECK(handover_ && handover_->handles(event), "an event of unknown kind");
      receive(event);
  }
  if (progress_ && simulator_.events_handled() % kEventsPerProgress == 0) report_progress();
}

void Run::report_progress() {
  progress_(
      {.now = simulator_.now(), .arrived = requests_taken_, .completed = recorder_.completed()});
}

RunResult Run::execute() {
  start_demand();
  start_scaling();
  simulator_.run(*this);
  check_conservation();
  stop_scaling();
  RunResult result;
  result.gpus = fleet_.gpus();
  result.end = last_finish_;
  sum_pools(result);
  result.summary = recorder_.summarise(result.gpus_held, last_finish_);
  sum_links(result);
  if (handover_) result.handover = handover_->summary();
  result.prefix = pools_.front()->prefixes();
  result.classes = recorder_.summarise_classes(last_finish_);
  result.requests = recorder_.take_records();
  result.events = simulator_.events_handled();
  for (const std::string& note : demand_.source->notes()) result.notes.push_back(note);
  for (Unit& unit : units_) {
    for (IterationTimeline& drawn : unit.instance().take_timeline()) {
      result.timeline.push_back(std::move(drawn));
    }
  }
  result.fingerprint = fingerprint(result);
  return result;
}

}  // namespace moesim::serving
