#include "sweep/run_scenario.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "catalog/parameters.h"
#include "core/math.h"
#include "core/text.h"
#include "operators/all_to_all.h"
#include "serving/expert_cost.h"
#include "serving/instance_cost.h"
#include "serving/joint_cluster.h"
#include "sweep/demand.h"
#include "topology/topology.h"

namespace moesim::sweep {
namespace {

serving::Fleet fleet_of(const scenario::Scenario& s) {
  serving::Fleet fleet{.pools = s.pools, .kv_transfer = s.kv_transfer};
  if (fleet.pools.empty()) fleet.pools = {s.deployment};
  return fleet;
}

void refuse_what_is_not_modelled(const scenario::Scenario& s, const serving::Fleet& fleet) {
  std::vector<Diagnostic> found;
  for (const serving::Deployment& pool : fleet.pools) {
    for (const serving::DeploymentProblem& p : serving::check_deployment(pool)) {
      found.push_back({.file = s.name, .field = p.field, .message = p.message, .hint = p.hint});
    }
  }
  if (!found.empty()) throw InputError(std::move(found));
}

/// One placement and one count of copies serve all instances and stages: their groups must lie on
/// the nodes alike.
void refuse_uneven_groups(const scenario::Scenario& s, const serving::Deployment& d,
                          const topology::Topology& topology) {
  if (!d.model.is_moe() || d.layout.dp == 1) return;
  std::vector<std::int32_t> first;
  for (std::int64_t replica = 0; replica < d.layout.replicas; ++replica) {
    for (const std::vector<GpuId>& group : serving::stage_groups(d, replica)) {
      const operators::AllToAll exchange(topology, group);
      const std::span<const std::int32_t> domains = exchange.domain_of_rank();
      if (first.empty()) first.assign(domains.begin(), domains.end());
      if (std::equal(first.begin(), first.end(), domains.begin(), domains.end())) continue;
      throw InputError(Diagnostic{
          .file = s.name,
          .field = "deployment",
          .message = "expert groups lie on the nodes in different ways, which is not modelled",
          .hint = "let tp * dp divide the GPUs of a node, or be a multiple of them"});
    }
  }
}

/// Expected distinct experts of `experts` that `tokens` tokens touch with top-k, uniform routing.
double experts_touched(double experts, double top_k, double tokens) {
  return experts * (1.0 - math::pow(1.0 - top_k / experts, tokens));
}

/// Attention flops of one token that looks back at `context` tokens: scores and values.
double attention_flops(const catalog::Attention& a, double context) {
  const double reach = a.window > 0 ? std::min(context, static_cast<double>(a.window)) : context;
  if (a.kind == catalog::AttentionKind::Mla) {
    return 2.0 * static_cast<double>(a.heads) * reach *
           static_cast<double>(2 * a.kv_lora_rank + a.qk_rope_dim);
  }
  if (a.kind != catalog::AttentionKind::Gqa) return 0.0;
  return 2.0 * static_cast<double>(a.heads) * reach *
         static_cast<double>(a.head_dim + a.v_head_dim);
}

double mean_context(const serving::RunResult& run) {
  double tokens = 0;
  for (const serving::RequestRecord& r : run.requests) {
    tokens += static_cast<double>(r.input_tokens) + 0.5 * static_cast<double>(r.output_tokens);
  }
  return run.requests.empty() ? 0.0 : tokens / static_cast<double>(run.requests.size());
}

double mean_batch(const serving::RunResult& run) {
  double tokens = 0;
  if (run.handover) {  // of the pool that decodes
    for (const serving::RequestRecord& r : run.requests) {
      tokens += static_cast<double>(r.output_tokens) - 1.0;
    }
    const std::int64_t iterations = run.pools.back().time.iterations;
    return iterations > 0 ? tokens / static_cast<double>(iterations) : 0.0;
  }
  for (const serving::RequestRecord& r : run.requests) {
    tokens += static_cast<double>(r.input_tokens) + static_cast<double>(r.output_tokens) - 1.0;
  }
  return run.time.iterations > 0 ? tokens / static_cast<double>(run.time.iterations) : 0.0;
}

/// Weights that an iteration of `tokens` tokens reads: each attention rank has its own copy of all
/// but the routed experts.
Bytes weights_read(const serving::Deployment& d, double tokens) {
  const catalog::ModelParameters all = catalog::count_parameters(d.model);
  const auto bytes = [](std::int64_t n, const catalog::WeightFormat& f) {
    return static_cast<double>(n) * f.bytes_per_weight();
  };
  Bytes sum = bytes(all.attention, d.precision.attention) +
              bytes(all.dense_ffn, d.precision.dense_ffn) +
              bytes(all.shared_experts, d.precision.shared_experts) +
              bytes(all.router, d.precision.router) + bytes(all.head, d.precision.head);
  if (d.model.tied_embeddings) sum += bytes(all.embedding, d.precision.embedding);
  sum *= static_cast<double>(d.layout.dp);
  for (const catalog::LayerRun& r : d.model.runs) {
    const catalog::LayerKind& kind = d.model.kinds[static_cast<std::size_t>(r.kind)];
    const catalog::FeedForward& block = kind.feed_forward;
    if (!block.is_moe()) continue;
    const double touched = experts_touched(static_cast<double>(block.routed_experts),
                                           static_cast<double>(block.top_k), tokens);
    const auto each = catalog::layer_parameters(d.model, kind).routed_expert;
    sum += static_cast<double>(r.count) * touched * bytes(each, d.precision.routed_experts);
  }
  return sum;
}

/// What a run counts in bytes, as copies of one token in one MoE layer.
double node_copies(const serving::Deployment& d, const serving::ExpertSummary& experts) {
  const Bytes copy = static_cast<double>(serving::expert_width(d.model)) *
                     (d.precision.dispatch_element + d.precision.combine_element);
  double layers = 0;
  for (const catalog::LayerRun& r : d.model.runs) {
    const bool moe = d.model.kinds[static_cast<std::size_t>(r.kind)].feed_forward.is_moe();
    if (moe) layers += static_cast<double>(r.count);
  }
  return layers > 0.0 ? experts.internode_bytes_per_token / (copy / kByte) / layers : 0.0;
}

DeploymentFacts facts_of(const scenario::Scenario& s, const ScenarioResult& result) {
  const serving::Deployment& d = s.deployment;
  const catalog::ModelParameters parameters = catalog::count_parameters(d.model);
  DeploymentFacts f{.model = d.model.name,
                    .precision = d.precision.name,
                    .gpu = d.cluster.gpu.name,
                    .layout = plan::to_string(d.layout),
                    .engine = d.engine.name,
                    .workload = s.workload.description};
  f.total_parameters = static_cast<double>(parameters.total());
  f.active_parameters = static_cast<double>(parameters.active);
  f.gpus = d.layout.gpus();
  if (!s.pools.empty()) {
    f.gpus = fleet_of(s).gpus();
    f.layout = fmt::format("prefill {}, decode {}", plan::to_string(s.pools.front().layout),
                           plan::to_string(s.pools.back().layout));
  }
  if (!s.pools.empty() && s.pools.front().cluster.gpu.name != d.cluster.gpu.name) {
    f.gpu = fmt::format("prefill {}, decode {}", s.pools.front().cluster.gpu.name, f.gpu);
  }
  f.nodes = d.cluster.nodes;
  const double context = mean_context(result.run);
  // Looking up the input embedding is no arithmetic; tied to the head it is multiplied with.
  const std::int64_t looked_up = d.model.tied_embeddings ? 0 : parameters.embedding;
  f.flops_per_token = 2.0 * static_cast<double>(parameters.active - looked_up);
  for (const catalog::LayerRun& r : d.model.runs) {
    f.flops_per_token +=
        static_cast<double>(r.count) *
        attention_flops(d.model.kinds[static_cast<std::size_t>(r.kind)].attention, context);
  }
  f.mean_batch_tokens = mean_batch(result.run);
  if (result.run.experts.present) f.node_copies_per_token = node_copies(d, result.run.experts);
  if (f.mean_batch_tokens > 0) {
    f.bytes_per_token_at_batch =
        weights_read(d, f.mean_batch_tokens) / kByte / f.mean_batch_tokens +
        result.memory.kv_bytes_per_token.base() * context;
  }
  return f;
}

/// Mean work of a GPU: flops of every token; weights at the mean batch, and the cache of every
/// token decoded.
cost::Energy energy_of(const scenario::Scenario& s, const ScenarioResult& result) {
  const serving::Summary& sum = result.run.summary;
  const double gpus = result.run.gpus_held;
  const serving::Deployment& d = s.deployment;
  const double batch = result.facts.mean_batch_tokens;
  const double weights = batch > 0.0 ? weights_read(d, batch) / kByte / batch : 0.0;
  const double cache = result.memory.kv_bytes_per_token.base() * mean_context(result.run);
  const cost::GpuActivity activity{
      .busy = 1.0 - result.run.time.idle,
      .flops_per_s = result.facts.flops_per_token * sum.total_tokens_per_s / gpus,
      .bytes_per_s = (weights * sum.total_tokens_per_s + cache * sum.output_tokens_per_s) / gpus};
  const catalog::WeightFormat& format =
      d.model.is_moe() ? d.precision.routed_experts : d.precision.dense_ffn;
  return cost::energy(d.cluster.gpu, format, d.curves.get(), activity, gpus,
                      sum.output_tokens_per_s, s.pricing.hours_per_month, s.pricing.usd_per_kwh);
}

/// Each pool pays the rent of its own GPUs: the whole is their sum, the rent of a GPU their mean.
void bill_of(const scenario::Scenario& s, ScenarioResult& result) {
  const serving::Summary& sum = result.run.summary;
  double input_share = result.run.prefill_share;
  if (!s.pool_pricing.empty()) {
    cost::Pricing& mean = result.pricing;
    const cost::Pricing& first = s.pool_pricing.front();
    const cost::Pricing& second = s.pool_pricing.back();
    mean = second;
    mean.known = first.known && second.known;
    const DollarsPerSecond prefill = first.per_gpu * result.run.pools.front().gpus_held;
    const DollarsPerSecond both = prefill + second.per_gpu * result.run.pools.back().gpus_held;
    mean.per_gpu = both / result.run.gpus_held;
    if (first.provider != second.provider || first.term != second.term ||
        first.date != second.date) {
      mean.provider = "mean of the pools";
      mean.term = mean.date = mean.source = "";
    }
    if (both > DollarsPerSecond{}) input_share = prefill / both;
  }
  result.bill = cost::bill(result.pricing, result.run.gpus_held, sum.input_tokens_per_s,
                           sum.output_tokens_per_s, input_share);
  for (std::size_t p = 0; p < result.run.pools.size(); ++p) {
    const cost::Pricing& pricing = s.pool_pricing.empty() ? result.pricing : s.pool_pricing[p];
    result.pool_usd_per_month.push_back(
        cost::bill(pricing, result.run.pools[p].gpus_held, 0.0, 0.0, 0.0).usd_per_month);
  }
}

bool nothing_fits(const serving::Summary& s) {
  return s.requests_arrived > 0 && s.requests_rejected == s.requests_arrived;
}

}  // namespace

ScenarioResult run_scenario(const scenario::Scenario& s, const serving::ProgressCallback& progress,
                            serving::ExpertPlanStore* plans) {
  const serving::Fleet fleet = fleet_of(s);
  refuse_what_is_not_modelled(s, fleet);
  const serving::Deployment& d = s.deployment;
  ScenarioResult result;
  result.name = s.name;
  result.description = s.description;
  result.pricing = s.pricing;
  result.scenario_text = s.resolved_text;
  result.notes = s.notes;
  std::vector<plan::MemoryReport> memory;
  for (const serving::Deployment& pool : fleet.pools) {
    memory.push_back(
        plan::plan_memory(pool.model, pool.precision, pool.cluster.gpu, pool.layout, pool.memory));
    const plan::MemoryReport& plan = result.memory = memory.back();
    result.fits = plan.verdict != plan::Verdict::No && plan.kv_blocks_per_rank > 0;
    if (result.fits) continue;
    if (fleet.is_split()) {
      result.notes.push_back(
          fmt::format("the {} pool does not fit",
                      pool.role == serving::PoolRole::Prefill ? "prefill" : "decode"));
    }
    break;
  }
  if (result.fits) {
    const topology::Topology topology(serving::joint_cluster(fleet));
    for (const serving::Deployment& pool : fleet.pools) refuse_uneven_groups(s, pool, topology);
    const auto source = make_source(s);
    result.run = serving::simulate(fleet, topology, memory,
                                   {.source = source.get(),
                                    .concurrency = s.workload.concurrency,
                                    .reuse = s.workload.assumed_reuse,
                                    .classes = s.workload.classes},
                                   s.slo, s.run, progress, plans);
    for (const std::string& note : result.run.notes) {
      const auto known = std::find(result.notes.begin(), result.notes.end(), note);
      if (known == result.notes.end()) result.notes.push_back(note);  // A trace says it twice.
    }
    bill_of(s, result);
  }
  if (result.fits && nothing_fits(result.run.summary)) {
    result.fits = false;
    result.memory.verdict = plan::Verdict::No;
    result.memory.reason = fmt::format(
        "none of {} requests fits: each is longer than the smaller of the {} tokens of KV cache of "
        "one attention rank and the model's context of {}",
        result.run.summary.requests_arrived, result.memory.kv_capacity_tokens_per_rank,
        d.model.context_length);
  }
  const serving::Summary& summary = result.run.summary;
  if (result.fits && summary.requests_completed > 0 && summary.requests_measured == 0) {
    result.notes.push_back(fmt::format(
        "nothing was measured: the run ended after {} s, before any request that came after the "
        "warm-up of {} s",
        format_number(result.run.end.seconds() / kSecond),
        format_number(s.run.warm_up.seconds() / kSecond)));
  }
  result.facts = facts_of(s, result);
  // Of two pools neither the mean batch nor the mean work of a GPU is known.
  if (result.fits && s.pools.empty()) result.energy = energy_of(s, result);
  return result;
}

}  // namespace moesim::sweep
