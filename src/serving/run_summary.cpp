// What a run leaves behind: conservation checked, pools and links summed up.
#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "core/fingerprint.h"
#include "serving/run.h"

namespace moesim::serving {
namespace {

/// Shares of the time of several pools, weighted by their GPUs.
void add_time(const TimeBreakdown& from, double weight, TimeBreakdown& to) {
  for (std::size_t p = 0; p < kStepParts; ++p) {
    to.parts[p] += weight * from.parts[p];
    for (std::size_t l = 0; l < kLimits; ++l) to.limits[p][l] += weight * from.limits[p][l];
  }
  to.pipeline_bubble += weight * from.pipeline_bubble;
  to.idle += weight * from.idle;
  const auto before = static_cast<double>(to.iterations);
  const auto added = static_cast<double>(from.iterations);
  if (added > 0.0) {
    to.mean_iteration_ms =
        (to.mean_iteration_ms * before + from.mean_iteration_ms * added) / (before + added);
  }
  to.iterations += from.iterations;
  to.split_iterations += from.split_iterations;
  to.hidden += weight * from.hidden;
}

}  // namespace

void Run::check_conservation() const {
  MOESIM_CHECK(recorder_.tokens_completed() == recorder_.tokens_emitted(),
               "tokens are lost or doubled");
  MOESIM_CHECK(sequences_.in_use() == 0, "requests are left over at the end of the run");
  for (const Unit& unit : units_) {
    for (const RankScheduler& rank : unit.instance().ranks()) {
      MOESIM_CHECK(rank.requests() == 0 && rank.leaving() == 0 && rank.expected() == 0,
                   "a rank still holds requests at the end of the run");
      MOESIM_CHECK(rank.swap() == nullptr || rank.swap()->empty(),
                   "blocks are left over on the host at the end of the run");
      MOESIM_CHECK(rank.blocks_free() == rank.blocks_total(), "KV blocks are lost or doubled");
    }
  }
}

void Run::sum_pools(RunResult& result) const {
  for (const auto& pool : pools_) {
    PoolResult& to = result.pools.emplace_back();
    to.role = pool->deployment().role;
    to.gpus = pool->deployment().layout.gpus();
    to.scaling = scaling(*pool);
    to.gpus_held = to.scaling ? to.scaling->gpus_held() : static_cast<double>(to.gpus);
    result.gpus_held += to.gpus_held;
    to.memory = pool->memory();
    to.time = pool->time(last_finish_, to.prefill_share);
    to.experts = pool->experts();
    to.kv = pool->kv();
    if (handover_) to.exchanges_longer_by = pool->exchanges_longer_by();
    for (const PricedBy& each : pool->priced_by()) {
      const auto known = std::find_if(
          result.priced_by.begin(), result.priced_by.end(), [&](const PricedBy& other) {
            return other.part == each.part && other.operation == each.operation &&
                   other.curve == each.curve;
          });
      if (known == result.priced_by.end()) result.priced_by.push_back(each);
    }
    if (pool->drifts()) {
      result.notes.push_back(
          fmt::format("the popularity of experts drifted {} times", pool->drift_steps()));
    }
  }
  const PoolResult& last = result.pools.back();
  result.memory = last.memory;
  result.experts = last.experts;
  result.kv = last.kv;
  if (result.pools.size() == 1) {
    result.time = last.time;
    result.prefill_share = last.prefill_share;
  } else {
    result.kv.preemptions = 0;
    for (const PoolResult& pool : result.pools) {
      add_time(pool.time, pool.gpus_held / result.gpus_held, result.time);
      result.kv.preemptions += pool.kv.preemptions;
    }
    // What prefills is paid by the prompts, busy or not.
    result.prefill_share = result.pools.front().gpus_held / result.gpus_held;
  }
  result.time.kv_wait_ms = recorder_.mean_kv_wait_ms();
}

void Run::sum_links(RunResult& result) const {
  const Seconds duration = last_finish_.seconds();
  if (duration <= Seconds{}) return;
  std::vector<StageTraffic> sent;
  for (const Unit& unit : units_) {
    for (StageTraffic& stage : unit.instance().cost().traffic()) sent.push_back(std::move(stage));
  }
  result.fabric = fabric_use(topology_, use_of_links(topology_, sent, duration), duration);
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

}  // namespace moesim::serving
