#include "serving/instance.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/check.h"
#include "core/diagnostics.h"
#include "core/text.h"

namespace moesim::serving {
namespace {

/// The clock holds 106 days; a stage of hours is a mistake in the hardware's figures.
void refuse_endless(Seconds stage) {
  constexpr Seconds kLongestStage = 1_h;
  if (stage <= kLongestStage) return;
  throw InputError(Diagnostic{
      .field = "cluster",
      .message =
          fmt::format("one iteration takes {} h of simulated time", format_number(stage / 1_h)),
      .hint = "look for a bandwidth, peak rate or efficiency that is far too small"});
}

}  // namespace

Instance::Instance(const Deployment& deployment, ModelCost& model,
                   const topology::Topology& topology, const ExpertPlan* experts,
                   std::int64_t replica, std::int64_t kv_blocks_per_rank, SequencePool& pool,
                   const RunSettings& run)
    : cost_(deployment, model, topology, experts, replica, run.seed),
      gate_(deployment.scheduler.attention_dp_balance),
      batches_(static_cast<std::size_t>(deployment.layout.dp)),
      stage_free_(static_cast<std::size_t>(deployment.layout.pp)),
      in_flight_(static_cast<std::size_t>(deployment.layout.pp), false),
      recorder_(run, deployment.first_instance + replica) {
  if (run.fidelity == Fidelity::Sampled) {
    cost_.sample_experts(run.seed, deployment.first_instance + replica);
  }
  ranks_.reserve(batches_.size());
  for (std::size_t r = 0; r < batches_.size(); ++r) {
    ranks_.emplace_back(deployment.scheduler, kv_blocks_per_rank, deployment.layout.pp,
                        model.laws(), pool);
  }
}

void Instance::swap_to_host(std::int64_t blocks_per_rank, const SwapPrice& price) {
  cost_.price_swaps(price);
  for (RankScheduler& rank : ranks_) rank.swap_to_host(blocks_per_rank);
}

std::optional<Instance::Started> Instance::start(SimTime now) {
  if (stage_free_.front() > now) return std::nullopt;
  auto started = try_lanes(now);
  // An iteration that preempts admits nothing; with nothing in flight no event would ask again.
  if (!started && lanes_in_flight_ == 0) started = try_lanes(now);
  return started;
}

std::optional<Instance::Started> Instance::try_lanes(SimTime now) {
  for (std::size_t i = 0; i < in_flight_.size(); ++i) {
    const std::size_t lane = (next_lane_ + i) % in_flight_.size();
    if (in_flight_[lane] || !plan(lane, now)) continue;
    next_lane_ = (lane + 1) % in_flight_.size();
    return launch(lane, now);
  }
  return std::nullopt;
}

bool Instance::plan(std::size_t lane, SimTime now) {
  std::int64_t tokens = 0;
  const bool hold = gate_.holds(ranks_, lane);
  for (std::size_t r = 0; r < ranks_.size(); ++r) {
    batches_[r] = ranks_[r].has_work(lane) ? ranks_[r].plan(lane, now, hold) : RankBatch{};
    tokens += batches_[r].tokens();
  }
  return tokens > 0;
}

Instance::Started Instance::launch(std::size_t lane, SimTime now) {
  if (lanes_in_flight_++ == 0) active_since_ = now;
  in_flight_[lane] = true;
  IterationTimeline* const drawn = recorder_.begin(now, time_.iterations + 1, lane, batches_);
  const std::span<const StepTime> stages = cost_.price(batches_, drawn);
  std::int64_t largest = 0;
  std::int64_t tokens = 0;
  std::int64_t prompt_tokens = 0;
  for (const RankBatch& batch : batches_) {
    largest = std::max<std::int64_t>(largest, batch.tokens());
    tokens += batch.tokens();
    prompt_tokens += batch.prefill_tokens;
  }
  SimTime at = now;
  const SimTime host = SimTime::from(stages.front()[StepPart::Overhead]);
  const double share = 1.0 / static_cast<double>(stages.size());
  for (std::size_t s = 0; s < stages.size(); ++s) {
    refuse_endless(stages[s].total);
    // Each stage has a host of its own; it prepares while activations are on their way.
    at = std::max(at, stage_free_[s] + (s > 0 ? host : SimTime{}));
    if (drawn != nullptr) drawn->stages[s].start = at;
    at += SimTime::from(stages[s].total);
    stage_free_[s] = at;
    for (std::size_t p = 0; p < kStepParts; ++p) {
      time_.parts[p] += share * stages[s].parts[p];
      time_.limits[p].add(share, stages[s].limits[p]);
    }
    time_.busy += share * stages[s].total;
    time_.hidden += share * stages[s].hidden.sum();
    time_.prefill +=
        share * static_cast<double>(prompt_tokens) / static_cast<double>(tokens) * stages[s].total;
    if (s + 1 < stages.size()) {
      const Seconds send = cost_.send(s, largest);
      refuse_endless(send);
      at += SimTime::from(send);
      stage_free_[s] = at;  // it sends on the stream that computes
      if (drawn != nullptr) drawn->stages[s].send = send;
    }
  }
  time_.in_flight += (at - now).seconds();
  ++time_.iterations;
  if (stages.front().split) ++time_.split_iterations;
  return {.lane = lane, .end = at, .first_stage_free = stage_free_.front()};
}

std::optional<SimTime> Instance::next_loaded(SimTime now) const {
  std::optional<SimTime> next;
  for (const RankScheduler& rank : ranks_) {
    const std::optional<SimTime> loaded = rank.next_loaded(now);
    if (loaded && (!next || *loaded < *next)) next = loaded;
  }
  return next;
}

void Instance::finish(std::size_t lane, SimTime now, StepListener& listener) {
  MOESIM_CHECK(in_flight_[lane], "an iteration ended that had not begun");
  in_flight_[lane] = false;
  for (RankScheduler& rank : ranks_) rank.finish(lane, now, listener);
  if (--lanes_in_flight_ == 0) time_.active += (now - active_since_).seconds();
}

}  // namespace moesim::serving
