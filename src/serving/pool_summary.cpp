// What the instances of a pool add up to at the end of a run.
#include <algorithm>

#include "serving/pool.h"

namespace moesim::serving {

TimeBreakdown Pool::time(SimTime end, double& prefill_share) const {
  const Seconds whole =
      scaler_ ? scaler_->run_time() : end.seconds() * static_cast<double>(instances_.size());
  TimeBreakdown time;
  if (whole <= Seconds{}) return time;
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
    time.split_iterations += instance.time().split_iterations;
    time.hidden += instance.time().hidden / whole;
  }
  if (busy > Seconds{}) prefill_share = prefill / busy;
  time.pipeline_bubble = std::max(0.0, (active - busy) / whole);
  time.idle = std::max(0.0, (whole - active) / whole);
  if (time.iterations > 0) {
    time.mean_iteration_ms = in_flight / 1.0_ms / static_cast<double>(time.iterations);
  }
  return time;
}

ExpertSummary Pool::experts() const {
  ExpertSummary experts;
  if (!experts_) return experts;
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
  if (token_layers == 0) return experts;
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
      static_cast<double>(expert_width(deployment_->model)) *
      (deployment_->precision.dispatch_element + deployment_->precision.combine_element);
  experts.internode_bytes_per_token = copies / (token_layers / layers) * (per_copy / kByte);
  experts.token_layers = static_cast<std::int64_t>(token_layers);
  return experts;
}

KvSummary Pool::kv() const {
  KvSummary kv;
  kv.blocks_per_rank = memory_->kv_blocks_per_rank;
  for (const Instance& instance : instances_) {
    for (const RankScheduler& rank : instance.ranks()) {
      kv.peak_blocks = std::max(kv.peak_blocks, rank.peak_blocks());
      kv.preemptions += rank.preemptions();
      if (rank.swap() == nullptr) continue;
      if (!kv.swap) kv.swap.emplace();
      kv.swap->add(rank.swap()->counts());
    }
  }
  return kv;
}

std::optional<double> Pool::exchanges_longer_by() const {
  if (instances_.empty() || !instances_.front().cost().exchanges_on_network()) return std::nullopt;
  Seconds lost;
  Seconds all;
  for (const Instance& instance : instances_) {
    lost += instance.cost().lost_to_caches();
    all += instance.cost().exchanging();
  }
  return all > lost ? lost / (all - lost) : 0.0;
}

}  // namespace moesim::serving
