// Caches that could not hold a single request or block, named before a run.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include "core/quantity.h"
#include "plan/memory.h"
#include "scenario/resolver.h"
#include "workload/generator.h"

namespace moesim::scenario {
namespace {

/// Level of a length law below which no request is expected.
constexpr double kShortest = 1e-9;

plan::MemoryReport memory_of(const serving::Deployment& d) {
  return plan::plan_memory(d.model, d.precision, d.cluster.gpu, d.layout, d.memory);
}

/// Tokens of the shortest request while it is in the pool; a prefill rank hands over after one.
std::int64_t shortest_request(const WorkloadSettings& w, serving::PoolRole role) {
  const bool prompt = role == serving::PoolRole::Prefill;
  std::int64_t shortest = std::numeric_limits<std::int64_t>::max();
  if (w.trace) {
    for (const workload::Request& request : w.trace->requests) {
      const std::int64_t output = prompt ? 1 : request.output_tokens;
      shortest = std::min(shortest, request.input_tokens + output);
    }
    return w.trace->requests.empty() ? 0 : shortest;
  }
  if (!w.model || !w.model->input || !w.model->output) return 0;
  const auto of = [&](const workload::LengthLaw& input, const workload::LengthLaw& output) {
    const std::int64_t tokens = prompt ? 1 : workload::length_quantile(output, kShortest);
    shortest = std::min(shortest, workload::length_quantile(input, kShortest) + tokens);
  };
  if (w.class_demand.empty()) of(*w.model->input, *w.model->output);
  for (const workload::RequestClass& c : w.class_demand) {
    of(c.input.value_or(*w.model->input), c.output.value_or(*w.model->output));
  }
  return shortest;
}

}  // namespace

void Resolver::check_kv_room(const char* pool, const serving::Deployment& d) {
  const std::int64_t shortest = shortest_request(scenario_.workload, d.role);
  const plan::MemoryReport memory = memory_of(d);
  const std::int64_t room = memory.kv_blocks_per_rank * d.scheduler.block_size;
  if (memory.kv_bytes_per_token_per_gpu <= BytesPerToken{} || room >= shortest) return;
  error(fmt::format("deployment.{}", pool),
        fmt::format("a rank has room for {} tokens of KV cache, the shortest request has {}: "
                    "weights {:.2f} GB and workspace {:.2f} GB of {:.2f} GB a GPU",
                    room, shortest, memory.per_gpu.weights() / 1_GB,
                    memory.per_gpu.workspace() / 1_GB, memory.gpu_memory / 1_GB),
        "give the pool more GPUs or a larger share of their memory, or lower "
        "max_num_batched_tokens");
}

void Resolver::check_cache_tiers() {
  const serving::Deployment& d = scenario_.deployment;
  const serving::PrefixCacheSettings& cache = d.scheduler.prefix_cache;
  if (!cache.host && !cache.disk) return;
  if (!has_layout_ || !has_cluster_ || findings_.any_at("deployment")) return;
  const plan::MemoryReport memory = memory_of(d);
  const auto check = [&](const char* name, const std::optional<serving::TierSettings>& tier,
                         BytesPerToken per_token) {
    const Bytes block = static_cast<double>(d.scheduler.block_size) * kToken * per_token;
    if (!tier || tier->capacity >= block) return;
    error(fmt::format("deployment.prefix_cache.{}.capacity", name),
          fmt::format("{} holds no block of {} tokens, which takes {}",
                      format_bytes(tier->capacity), d.scheduler.block_size, format_bytes(block)),
          "make it larger, or leave the tier out");
  };
  check("host", cache.host, memory.kv_bytes_per_token_per_gpu);
  check("disk", cache.disk, memory.kv_bytes_per_token);
}

}  // namespace moesim::scenario
