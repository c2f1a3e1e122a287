#include "serving/pool.h"

#include <algorithm>

namespace moesim::serving {

Pool::Pool(const Deployment& deployment, const topology::Topology& topology,
           const plan::MemoryReport& memory, const RunSettings& run, ExpertPlanStore* plans,
           SequencePool& sequences)
    : deployment_(&deployment),
      memory_(&memory),
      model_(deployment),
      experts_(make_expert_plan(deployment, topology, run.seed, plans)),
      router_(deployment.router, static_cast<std::size_t>(deployment.layout.dp)) {
  if (deployment.autoscaling) {
    scaler_.emplace(*deployment.autoscaling, deployment.layout.replicas, run.windows);
  }
  if (experts_ && deployment.experts.drift) drift_.emplace(deployment, run.seed);
  instances_.reserve(static_cast<std::size_t>(deployment.layout.replicas));
  for (std::int64_t r = 0; r < deployment.layout.replicas; ++r) {
    instances_.emplace_back(deployment, model_, topology, experts_ ? &*experts_ : nullptr, r,
                            memory.kv_blocks_per_rank, sequences, run);
    for (std::size_t other = 0; other + 1 < instances_.size(); ++other) {
      if (instances_.back().share_samples_with(instances_[other])) break;
    }
    if (deployment.scheduler.preemption == PreemptionMode::Swap) swap_to_host(instances_.back());
    if (deployment.role != PoolRole::Prefill) continue;
    for (RankScheduler& rank : instances_.back().ranks()) rank.hand_over_prompts();
  }
}

void Pool::swap_to_host(Instance& instance) {
  const SchedulerSettings& s = deployment_->scheduler;
  const catalog::Fabric& link = deployment_->cluster.pcie;
  // A model may keep nothing that grows with the context.
  const Bytes block =
      std::max(static_cast<double>(s.block_size) * kToken * memory_->kv_bytes_per_token_per_gpu,
               1.0 * kByte);
  instance.swap_to_host(
      static_cast<std::int64_t>(s.swap_space / block),
      {.latency = link.latency, .per_block = block / (link.efficiency * link.bandwidth)});
}

void Pool::cache_prefixes(std::int64_t hash_tokens, const AssumedReuse& assumed) {
  const PrefixCacheSettings& settings = deployment_->scheduler.prefix_cache;
  const bool names_none = hash_tokens == 0 && assumed.share == 0.0;
  if (!settings.enabled || (names_none && !settings.host && !settings.disk)) return;
  prefixes_.emplace(*deployment_, *memory_, hash_tokens, assumed);
  prefixes_->attach(instances_);
}

bool Pool::fits(const workload::Request& request) const {
  const std::int64_t tokens = std::int64_t{request.input_tokens} + request.output_tokens;
  const std::int64_t context = deployment_->model.context_length;
  if (context > 0 && tokens > context) return false;
  const RankScheduler& rank = instances_.front().ranks().front();
  // A rank that hands over holds the prompt alone.
  const std::int64_t output =
      deployment_->role == PoolRole::Prefill ? 1 : std::int64_t{request.output_tokens};
  return rank.blocks_to_end(request.input_tokens, output) <= memory_->kv_blocks_per_rank;
}

void Pool::count_requests(std::vector<std::int64_t>& into) const {
  into.assign(instances_.size(), 0);
  for (std::size_t i = 0; i < instances_.size(); ++i) {
    for (const RankScheduler& rank : instances_[i].ranks()) {
      into[i] += rank.requests() + rank.leaving();
    }
  }
}

double Pool::load(LoadMetric metric) const {
  double sum = 0;
  for (std::size_t i = 0; i < instances_.size(); ++i) {
    if (!takes(i)) continue;
    std::int64_t requests = 0;
    double held = 0;
    double blocks = 0;
    for (const RankScheduler& rank : instances_[i].ranks()) {
      requests += rank.requests();
      held += static_cast<double>(rank.blocks_total() - rank.blocks_free());
      blocks += static_cast<double>(rank.blocks_total());
    }
    sum += metric == LoadMetric::KvUse ? held / blocks : static_cast<double>(requests);
  }
  return sum;
}

void Pool::drift_to(SimTime now) {
  if (!drift_ || !drift_->due(now)) return;
  const ExpertPlan before = *experts_;  // Lives until all instances have turned to the new one.
  drift_->advance(now, *experts_);
  for (Instance& instance : instances_) instance.draw_from(*experts_);
}

}  // namespace moesim::serving
