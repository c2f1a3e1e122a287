#include "serving/simulation.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "core/check.h"
#include "core/diagnostics.h"
#include "des/simulator.h"
#include "serving/expert_plan.h"
#include "serving/instance.h"
#include "serving/popularity_drift.h"
#include "serving/recorder.h"
#include "serving/router.h"

namespace moesim::serving {
namespace {

enum EventKind : std::uint32_t { kArrival, kIterationEnd, kSchedule };

constexpr std::int64_t kEventsPerProgress = 16384;
constexpr std::int64_t kMaxRejectedInARow = 100'000;
/// The clock holds 106 days; what is left covers the iterations in flight.
const SimTime kLongestRun = SimTime::from(100.0 * 24.0 * 1_h);

/// One run: the world and the handler of its events.
class Run {
 public:
  Run(const Deployment& deployment, const topology::Topology& topology,
      const plan::MemoryReport& memory, const Demand& demand, const SloLimits& slo,
      const RunSettings& run, const ProgressCallback& progress, ExpertPlanStore* plans);
  [[nodiscard]] RunResult execute(const topology::Topology& topology);
  void operator()(const des::Event& event);

 private:
  void start_demand();
  void next_arrival();
  /// False: the request was rejected.
  bool admit(const workload::Request& request);
  void wake(std::size_t instance);
  void schedule(std::size_t instance);
  void drift_experts();
  void report_progress();
  void check_conservation() const;
  void sum_time(RunResult& result) const;
  void sum_experts(RunResult& result) const;
  void sum_kv(RunResult& result) const;
  void sum_links(const topology::Topology& topology, RunResult& result) const;
  [[nodiscard]] std::uint64_t fingerprint(const RunResult& result) const;
  [[nodiscard]] bool fits(const workload::Request& request) const;

  const Deployment& deployment_;
  const plan::MemoryReport& memory_;
  Demand demand_;
  RunSettings settings_;
  const ProgressCallback& progress_;
  des::Simulator simulator_;
  SequencePool pool_;
  ModelCost model_;
  std::optional<ExpertPlan> experts_;
  std::optional<PopularityDrift> drift_;
  std::vector<Instance> instances_;
  std::vector<bool> schedule_pending_;
  Router router_;
  Recorder recorder_;
  std::optional<workload::Request> upcoming_;
  std::int64_t requests_taken_ = 0;
  std::int64_t rejected_in_a_row_ = 0;  ///< Of a closed loop.
  SimTime last_finish_;
};

Run::Run(const Deployment& deployment, const topology::Topology& topology,
         const plan::MemoryReport& memory, const Demand& demand, const SloLimits& slo,
         const RunSettings& run, const ProgressCallback& progress, ExpertPlanStore* plans)
    : deployment_(deployment),
      memory_(memory),
      demand_(demand),
      settings_(run),
      progress_(progress),
      model_(deployment),
      experts_(make_expert_plan(deployment, topology, run.seed, plans)),
      schedule_pending_(static_cast<std::size_t>(deployment.layout.replicas), false),
      router_(deployment.router, static_cast<std::size_t>(deployment.layout.dp)),
      recorder_(slo, run) {
  if (experts_ && deployment.experts.drift) drift_.emplace(deployment, run.seed);
  instances_.reserve(static_cast<std::size_t>(deployment.layout.replicas));
  for (std::int64_t r = 0; r < deployment.layout.replicas; ++r) {
    instances_.emplace_back(deployment, model_, topology, experts_ ? &*experts_ : nullptr, r,
                            memory.kv_blocks_per_rank, pool_, run);
  }
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
    if (!open && simulator_.now() > settings_.duration) return;
    std::optional<workload::Request> request = demand_.source->next();
    if (!request || (open && request->arrival > settings_.duration)) return;
    ++requests_taken_;
    if (open) {
      upcoming_ = request;
      simulator_.schedule_at(request->arrival, des::Priority::Arrival, {.kind = kArrival});
      return;
    }
    request->arrival = simulator_.now();
    if (admit(*request)) {
      rejected_in_a_row_ = 0;
      return;
    }
    // Time stands still while nothing is served: before an endless source of misfits users give up.
    if (++rejected_in_a_row_ >= kMaxRejectedInARow) return;
  }
}

bool Run::fits(const workload::Request& request) const {
  const std::int64_t tokens = std::int64_t{request.input_tokens} + request.output_tokens;
  const std::int64_t context = deployment_.model.context_length;
  if (context > 0 && tokens > context) return false;
  return instances_.front().ranks().front().blocks_to_end(
             request.input_tokens, request.output_tokens) <= memory_.kv_blocks_per_rank;
}

bool Run::admit(const workload::Request& request) {
  recorder_.at(simulator_.now());
  recorder_.arrived();
  if (!fits(request)) {
    recorder_.rejected();
    return false;
  }
  const SequenceIndex index = pool_.take();
  Sequence& s = pool_[index];
  s.request = requests_taken_ - 1;
  s.input_tokens = request.input_tokens;
  s.output_tokens = request.output_tokens;
  s.prefill_target = request.input_tokens;
  s.arrival = request.arrival;
  const Target target = router_.choose(instances_);
  instances_[target.instance].ranks()[target.rank].enqueue(index);
  wake(target.instance);
  return true;
}

void Run::wake(std::size_t instance) {
  if (schedule_pending_[instance]) return;
  schedule_pending_[instance] = true;
  simulator_.schedule_at(simulator_.now(), des::Priority::Schedule,
                         {.kind = kSchedule, .a = static_cast<std::uint32_t>(instance)});
}

void Run::schedule(std::size_t instance) {
  schedule_pending_[instance] = false;
  if (simulator_.now() > kLongestRun) {
    throw InputError(Diagnostic{.field = "simulation",
                                .message = "the run passes 100 days of simulated time",
                                .hint = "set simulation.duration or a smaller max_requests"});
  }
  if (drift_ && drift_->due(simulator_.now())) drift_experts();
  const auto started = instances_[instance].start(simulator_.now());
  if (!started) return;
  const auto id = static_cast<std::uint32_t>(instance);
  simulator_.schedule_at(started->end, des::Priority::IterationEnd,
                         {.kind = kIterationEnd, .a = id, .b = started->lane});
  if (deployment_.layout.pp > 1) {
    // The first stage is free before the iteration ends: another lane may start then.
    schedule_pending_[instance] = true;
    simulator_.schedule_at(started->first_stage_free, des::Priority::Schedule,
                           {.kind = kSchedule, .a = id});
  }
}

void Run::operator()(const des::Event& event) {
  switch (event.kind) {
    case kArrival: {
      const workload::Request request = *upcoming_;
      (void)admit(request);
      next_arrival();
      break;
    }
    case kIterationEnd: {
      recorder_.at(simulator_.now());
      const std::int64_t before = recorder_.completed();
      instances_[event.a].finish(event.b, simulator_.now(), recorder_);
      const std::int64_t ended = recorder_.completed() - before;
      if (ended > 0) last_finish_ = simulator_.now();
      if (demand_.concurrency > 0) {
        for (std::int64_t i = 0; i < ended; ++i) next_arrival();
      }
      wake(event.a);
      break;
    }
    case kSchedule:
      schedule(event.a);
      break;
    default:
      MOESIM_CHECK(false, "an event of unknown kind");
  }
  if (progress_ && simulator_.events_handled() % kEventsPerProgress == 0) report_progress();
}

void Run::drift_experts() {
  const ExpertPlan before = *experts_;  // Lives until all instances have turned to the new one.
  drift_->advance(simulator_.now(), *experts_);
  for (Instance& instance : instances_) instance.draw_from(*experts_);
}

void Run::report_progress() {
  progress_(
      {.now = simulator_.now(), .arrived = requests_taken_, .completed = recorder_.completed()});
}

RunResult Run::execute(const topology::Topology& topology) {
  start_demand();
  simulator_.run(*this);
  check_conservation();
  RunResult result;
  result.gpus = deployment_.layout.gpus();
  result.summary = recorder_.summarise(result.gpus, last_finish_);
  result.end = last_finish_;
  result.memory = memory_;
  sum_time(result);
  sum_experts(result);
  sum_kv(result);
  sum_links(topology, result);
  result.requests = recorder_.take_records();
  result.events = simulator_.events_handled();
  result.notes = demand_.source->notes();
  if (drift_) {
    result.notes.push_back(
        fmt::format("the popularity of experts drifted {} times", drift_->steps()));
  }
  const std::span<const PricedBy> priced_by = model_.kernels.priced_by();
  result.priced_by.assign(priced_by.begin(), priced_by.end());
  for (Instance& instance : instances_) {
    for (IterationTimeline& drawn : instance.take_timeline()) {
      result.timeline.push_back(std::move(drawn));
    }
  }
  result.fingerprint = fingerprint(result);
  return result;
}

void Run::check_conservation() const {
  MOESIM_CHECK(recorder_.tokens_completed() == recorder_.tokens_emitted(),
               "tokens are lost or doubled");
  MOESIM_CHECK(pool_.in_use() == 0, "requests are left over at the end of the run");
  for (const Instance& instance : instances_) {
    for (const RankScheduler& rank : instance.ranks()) {
      MOESIM_CHECK(rank.requests() == 0, "a rank still holds requests at the end of the run");
      MOESIM_CHECK(rank.blocks_free() == rank.blocks_total(), "KV blocks are lost or doubled");
    }
  }
}

void Run::sum_time(RunResult& result) const {
  const Seconds whole = last_finish_.seconds() * static_cast<double>(instances_.size());
  TimeBreakdown& time = result.time;
  time.kv_wait_ms = recorder_.mean_kv_wait_ms();
  if (whole <= Seconds{}) return;
  Seconds active;
  Seconds busy;
  Seconds prefill;
  Seconds in_flight;
  for (const Instance& instance : instances_) {
    for (std::size_t p = 0; p < kStepParts; ++p) {
      time.parts[p] += instance.time().parts[p] / whole;
      for (std::size_t l = 0; l < kLimits; ++l) {
        time.limits[p][l] += instance.time().limits[p].by[l] / whole;
      }
    }
    active += instance.time().active;
    busy += instance.time().busy;
    prefill += instance.time().prefill;
    in_flight += instance.time().in_flight;
    time.iterations += instance.time().iterations;
  }
  if (busy > Seconds{}) result.prefill_share = prefill / busy;
  time.pipeline_bubble = std::max(0.0, (active - busy) / whole);
  time.idle = std::max(0.0, (whole - active) / whole);
  if (time.iterations > 0) {
    time.mean_iteration_ms = in_flight / 1.0_ms / static_cast<double>(time.iterations);
  }
}

void Run::sum_experts(RunResult& result) const {
  if (!experts_) return;
  ExpertSummary& experts = result.experts;
  experts.present = true;
  experts.placement = experts_->placement->strategy;
  std::vector<double> mean;
  std::vector<double> max;
  double copies = 0;
  double token_layers = 0;
  for (const Instance& instance : instances_) {
    const ExpertStatistics s = instance.cost().expert_statistics().value();
    mean.resize(s.mean_load.size());
    max.resize(s.max_load.size());
    for (std::size_t l = 0; l < mean.size(); ++l) {
      mean[l] += s.mean_load[l];
      max[l] += s.max_load[l];
    }
    copies += s.copies_between_nodes;
    token_layers += s.token_layers;
  }
  for (const Instance& instance : instances_) {
    if (const auto done = instance.cost().rebalancing()) {
      if (!experts.rebalancing) experts.rebalancing.emplace();
      experts.rebalancing->add(*done);
    }
  }
  if (token_layers == 0) return;
  experts.balancedness = 0;
  for (std::size_t l = 0; l < mean.size(); ++l) {
    const double b = mean[l] / max[l];
    experts.balancedness += b / static_cast<double>(mean.size());
    if (b < experts.worst_balancedness) {
      experts.worst_balancedness = b;
      experts.worst_layer = static_cast<std::int64_t>(l);
    }
  }
  const double layers = static_cast<double>(mean.size());
  const Bytes per_copy =
      static_cast<double>(expert_width(deployment_.model)) *
      (deployment_.precision.dispatch_element + deployment_.precision.combine_element);
  experts.internode_bytes_per_token = copies / (token_layers / layers) * (per_copy / kByte);
  experts.token_layers = static_cast<std::int64_t>(token_layers);
}

void Run::sum_kv(RunResult& result) const {
  result.kv.blocks_per_rank = memory_.kv_blocks_per_rank;
  for (const Instance& instance : instances_) {
    for (const RankScheduler& rank : instance.ranks()) {
      result.kv.peak_blocks = std::max(result.kv.peak_blocks, rank.peak_blocks());
      result.kv.preemptions += rank.preemptions();
    }
  }
}

void Run::sum_links(const topology::Topology& topology, RunResult& result) const {
  const Seconds duration = last_finish_.seconds();
  if (duration <= Seconds{}) return;
  std::vector<StageTraffic> sent;
  for (const Instance& instance : instances_) {
    for (StageTraffic& stage : instance.cost().traffic()) sent.push_back(std::move(stage));
  }
  result.fabric = fabric_use(topology, use_of_links(topology, sent, duration), duration);
}

std::uint64_t Run::fingerprint(const RunResult& result) const {
  Fingerprint hash;
  hash.add(simulator_.fingerprint());
  for (const RequestRecord& r : result.requests) {
    hash.add(r.number);
    hash.add(r.first_token.picoseconds());
    hash.add(r.finish.picoseconds());
  }
  return hash.value();
}

}  // namespace

RunResult simulate(const Deployment& deployment, const topology::Topology& topology,
                   const plan::MemoryReport& memory, const Demand& demand, const SloLimits& slo,
                   const RunSettings& run, const ProgressCallback& progress,
                   ExpertPlanStore* plans) {
  MOESIM_CHECK(demand.source != nullptr, "a run needs requests");
  Run world(deployment, topology, memory, demand, slo, run, progress, plans);
  return world.execute(topology);
}

}  // namespace moesim::serving
