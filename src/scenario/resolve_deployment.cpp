// The deployment of a scenario: engine, precision, layout, scheduler, efficiencies.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "plan/layout.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"
#include "serving/graph_padding.h"
#include "serving/simulation.h"

namespace moesim::scenario {
namespace {

constexpr QuantityRange kOverheadRange{"0 s", LowEnd::Included, "1 s"};

/// Bytes of one cached element, or nothing if the name is not known; "auto" leaves `by_default`.
std::optional<Bytes> kv_element(const std::string& name, Bytes by_default) {
  const std::string lower = to_lower(name);
  if (lower == "auto") return by_default;
  if (lower == "bf16" || lower == "bfloat16") return 2.0 * kByte;
  if (lower == "fp8" || lower == "fp8_e4m3" || lower == "fp8_e5m2") return 1.0 * kByte;
  return std::nullopt;
}

/// ep, where the scenario leaves it out: all GPUs of the expert group if the experts divide.
std::int64_t default_ep(const catalog::Model& model, std::int64_t group, std::int64_t redundant) {
  if (!model.is_moe()) return 1;
  for (const catalog::LayerKind& kind : model.kinds) {
    const catalog::FeedForward& f = kind.feed_forward;
    if (f.is_moe() && (f.routed_experts + redundant) % group != 0) return 1;
  }
  return group;
}

}  // namespace

void Resolver::resolve_precision(proto::Deployment& deployment) {
  serving::Deployment& d = scenario_.deployment;
  const bool chosen = deployment.has_precision();
  if (!chosen) {
    if (!has_model_) return;
    deployment.set_precision(d.model.native_precision);
  }
  const std::optional<catalog::Precision> precision = catalog_.precision(deployment.precision());
  if (!precision) {
    const std::string nearest = did_you_mean(deployment.precision(), catalog_.precision_names());
    error("deployment.precision",
          "is no weight format of the catalog, got " + shown(deployment.precision()),
          nearest.empty() ? "see moesim catalog list formats" : nearest);
    return;
  }
  d.precision = *precision;
  deployment.set_precision(precision->name);
  const catalog::WeightFormat* format = catalog_.find_format(precision->name);
  if (chosen && has_model_ && format != nullptr && format->experts_only && !d.model.is_moe()) {
    error("deployment.precision",
          fmt::format("{} is a format of routed experts, {} has none", format->name, d.model.name),
          "choose a format of all weights: moesim catalog list formats");
  }
  if (!deployment.has_kv_cache_dtype()) deployment.set_kv_cache_dtype("auto");
  const std::optional<Bytes> element =
      kv_element(deployment.kv_cache_dtype(), d.precision.kv_element);
  if (element) {
    d.precision.kv_element = *element;
  } else {
    error("deployment.kv_cache_dtype",
          "expected auto, bf16 or fp8, got " + shown(deployment.kv_cache_dtype()));
  }
}

void Resolver::resolve_layout(proto::Deployment& deployment) {
  serving::Deployment& d = scenario_.deployment;
  if (!deployment.has_tp()) deployment.set_tp(1);
  if (!deployment.has_pp()) deployment.set_pp(1);
  if (!deployment.has_dp()) deployment.set_dp(1);
  if (!deployment.has_replicas()) deployment.set_replicas(1);
  const auto degree = [&](const char* path, std::int64_t value) {
    return checked_count(findings_, path, value, 1, kMaxGpus);
  };
  plan::Layout layout;
  layout.tp = degree("deployment.tp", deployment.tp());
  layout.pp = degree("deployment.pp", deployment.pp());
  layout.dp = degree("deployment.dp", deployment.dp());
  layout.replicas = degree("deployment.replicas", deployment.replicas());
  d.experts.redundant_experts = checked_count(
      findings_, "experts.redundant_experts",
      message_.experts().has_redundant_experts() ? message_.experts().redundant_experts() : 0, 0,
      4096);
  const bool ep_given = deployment.has_ep();
  if (!ep_given) {
    deployment.set_ep(
        has_model_ ? default_ep(d.model, layout.tp * layout.dp, d.experts.redundant_experts) : 1);
  }
  layout.ep = degree("deployment.ep", deployment.ep());
  layout.layers_per_stage.assign(deployment.layers_per_stage().begin(),
                                 deployment.layers_per_stage().end());
  const bool gathered =
      deployment.all2all_backend() == proto::Deployment::ALLGATHER_REDUCESCATTER ||
      deployment.all2all_backend() == proto::Deployment::ALLGATHER_ALLREDUCE;
  layout.splits_every_expert =
      ep_given && gathered && layout.ep == 1 && layout.dp > 1 && d.model.is_moe();
  for (const char* field : {"tp", "pp", "dp", "ep", "replicas"}) {
    if (findings_.any_at(join_path("deployment", field))) return;
  }
  check_layout_gpus(layout);
  if (!has_model_) return;
  const std::vector<plan::LayoutProblem> problems =
      plan::check_layout(layout, d.model, d.experts.redundant_experts);
  for (const plan::LayoutProblem& problem : problems) {
    const std::string section = problem.field == "redundant_experts" ? "experts" : "deployment";
    error(join_path(section, problem.field), problem.message, problem.hint);
  }
  if (!problems.empty()) return;
  d.layout = plan::normalised(layout);
  has_layout_ = true;
}

void Resolver::check_layout_gpus(const plan::Layout& layout) {
  if (!has_cluster_) return;
  const topology::Cluster& c = scenario_.deployment.cluster;
  const std::int64_t needed = layout.gpus();
  if (needed > c.gpus()) {
    error("deployment",
          fmt::format("tp {} * pp {} * dp {} * replicas {} take {} GPUs, the cluster has {}",
                      layout.tp, layout.pp, layout.dp, layout.replicas, needed, c.gpus()),
          fmt::format("lower one of them or set cluster.nodes to {}",
                      (needed + c.gpus_per_node - 1) / c.gpus_per_node));
    return;
  }
  if (needed < c.gpus()) {
    note(fmt::format("the layout uses {} of the cluster's {} GPUs", needed, c.gpus()));
  }
  const std::int64_t domain = c.gpus_per_node * c.nodes_per_scale_up_domain;
  if (layout.tp > domain || domain % layout.tp != 0) {
    note(
        fmt::format("tp {} does not stay inside the {} GPUs of a scale-up domain: its all-reduces "
                    "cross the network between nodes",
                    layout.tp, domain));
  }
}

void Resolver::resolve_scheduler(proto::Scheduler& scheduler) {
  serving::Deployment& d = scenario_.deployment;
  serving::SchedulerSettings& s = d.scheduler;
  const std::string path = "deployment.scheduler.";
  resolve_engine_settings(scheduler);
  if (!scheduler.has_max_num_seqs()) scheduler.set_max_num_seqs(d.engine.max_num_seqs);
  s.max_num_seqs =
      checked_count(findings_, path + "max_num_seqs", scheduler.max_num_seqs(), 1, 65'536);
  if (!scheduler.has_max_num_batched_tokens()) {
    scheduler.set_max_num_batched_tokens(d.engine.max_num_batched_tokens);
  }
  s.max_num_batched_tokens = checked_count(findings_, path + "max_num_batched_tokens",
                                           scheduler.max_num_batched_tokens(), 1, 1'048'576);
  if (s.max_num_batched_tokens < s.max_num_seqs) {
    error(path + "max_num_batched_tokens",
          fmt::format("{} tokens cannot hold one token of each of max_num_seqs {}",
                      s.max_num_batched_tokens, s.max_num_seqs),
          "raise it or lower max_num_seqs");
  }
  if (!scheduler.has_enable_chunked_prefill()) {
    scheduler.set_enable_chunked_prefill(d.engine.chunked_prefill);
  }
  s.enable_chunked_prefill = scheduler.enable_chunked_prefill();
  resolve_scheduling_policy(scheduler);
  resolve_eviction(scheduler);
  if (!scheduler.has_gpu_memory_utilization()) {
    scheduler.set_gpu_memory_utilization(d.engine.gpu_memory_utilization);
  }
  s.gpu_memory_utilization =
      checked_real(findings_, path + "gpu_memory_utilization", scheduler.gpu_memory_utilization(),
                   0.0, LowEnd::Excluded, 1.0);
  if (!scheduler.has_block_size()) scheduler.set_block_size(d.engine.block_size);
  s.block_size = checked_count(findings_, path + "block_size", scheduler.block_size(), 1, 1024);
  asks_for_prefix_caching_ = scheduler.has_enable_prefix_caching();
  if (!asks_for_prefix_caching_) {
    scheduler.set_enable_prefix_caching(d.engine.scheduling.prefix_caching);
  }
  if (scheduler.enable_prefix_caching()) {
    s.preempted_blocks = d.engine.scheduling.preempted_blocks;
  }
  if (scheduler.has_max_model_len()) {
    max_model_len_ =
        checked_count(findings_, path + "max_model_len", scheduler.max_model_len(), 1, 10'000'000);
    const std::int64_t context = d.model.context_length;
    if (has_model_ && context > 0 && max_model_len_ > context) {
      error(path + "max_model_len",
            fmt::format("{} tokens are more than the context of {}, {}", max_model_len_,
                        d.model.name, context),
            fmt::format("use at most {}", context));
    }
  }
  d.memory = {.gpu_memory_utilization = s.gpu_memory_utilization,
              .memory_share = d.engine.memory_share,
              .max_num_batched_tokens = s.max_num_batched_tokens,
              .max_num_seqs = s.max_num_seqs,
              .context = max_model_len_,
              .block_size = s.block_size,
              .redundant_experts = d.experts.redundant_experts,
              .load_mtp = false};
}

void Resolver::resolve_efficiency(proto::EfficiencyOverrides& overrides) {
  serving::Deployment& d = scenario_.deployment;
  operators::EfficiencySet& set = d.efficiency;
  set = operators::EfficiencySet::defaults();
  const auto apply = [&](proto::OperatorEfficiency& message, const std::string& name,
                         operators::Efficiency& efficiency) {
    const std::string path = "deployment.efficiency." + name;
    if (!message.has_compute()) message.set_compute(efficiency.compute);
    efficiency.compute = checked_real(findings_, path + ".compute", message.compute(),
                                      kLeastEfficiency, LowEnd::Included, 1.0);
    if (!message.has_memory()) message.set_memory(efficiency.memory);
    efficiency.memory = checked_real(findings_, path + ".memory", message.memory(),
                                     kLeastEfficiency, LowEnd::Included, 1.0);
    if (!message.has_launch()) message.set_launch(format_seconds(efficiency.launch));
    const auto launch = checked_quantity<Seconds>(findings_, path + ".launch", message.launch(),
                                                  parse_seconds, kOverheadRange);
    if (launch) efficiency.launch = *launch;
  };
  // An efficiency that is set means the plain roofline: its curve is not asked.
  d.curves = catalog_.curves;
  d.roofline_only.gemm = overrides.has_gemm();
  d.roofline_only.grouped_gemm = overrides.has_grouped_gemm();
  d.roofline_only.prefill_attention = overrides.has_prefill_attention();
  d.roofline_only.decode_attention = overrides.has_decode_attention();
  d.roofline_only.lm_head = overrides.has_lm_head();
  if (overrides.has_gemm()) apply(*overrides.mutable_gemm(), "gemm", set.gemm);
  if (overrides.has_grouped_gemm()) {
    apply(*overrides.mutable_grouped_gemm(), "grouped_gemm", set.grouped_gemm);
  }
  if (overrides.has_prefill_attention()) {
    apply(*overrides.mutable_prefill_attention(), "prefill_attention", set.prefill_attention);
  }
  if (overrides.has_decode_attention()) {
    apply(*overrides.mutable_decode_attention(), "decode_attention", set.decode_attention);
  }
  apply(*overrides.mutable_memory_pass(), "memory_pass", set.memory_pass);
  if (overrides.has_lm_head()) apply(*overrides.mutable_lm_head(), "lm_head", set.lm_head);
}

void Resolver::resolve_deployment() {
  proto::Deployment& deployment = *message_.mutable_deployment();
  serving::Deployment& d = scenario_.deployment;
  if (!deployment.has_engine()) deployment.set_engine("vLLM");
  if (const catalog::Engine* engine = catalog_.find_engine(deployment.engine())) {
    d.engine = *engine;
    deployment.set_engine(engine->name);
  } else {
    const std::string nearest = did_you_mean(deployment.engine(), catalog_.engine_names());
    error("deployment.engine", "is no engine of the catalog, got " + shown(deployment.engine()),
          nearest.empty() ? "see moesim catalog list engines" : nearest);
  }
  if (has_gpu_) {
    const catalog::EngineOverhead* fitted = catalog::find_overhead(
        catalog_.engine_overheads, d.engine.name, d.cluster.gpu.architecture);
    if (fitted != nullptr) d.overhead = *fitted;
  }
  resolve_engine_choices(deployment);
  if (!deployment.has_iteration_overhead()) {
    deployment.set_iteration_overhead(
        format_seconds(d.overhead ? d.overhead->iteration : d.engine.iteration_overhead));
  }
  const auto overhead =
      checked_quantity<Seconds>(findings_, "deployment.iteration_overhead",
                                deployment.iteration_overhead(), parse_seconds, kOverheadRange);
  if (overhead) d.engine.iteration_overhead = *overhead;
  if (overhead && d.overhead) d.overhead->iteration = *overhead;
  resolve_precision(deployment);
  resolve_layout(deployment);
  check_engine_support();
  resolve_scheduler(*deployment.mutable_scheduler());
  resolve_speculative(deployment);
  d.scheduler.graph_sizes = serving::default_graph_sizes(d.engine.graphs, d.scheduler.max_num_seqs);
  resolve_all2all(deployment);
  resolve_overlap(deployment);
  resolve_prefix_cache(deployment);
  resolve_router(deployment);
  resolve_efficiency(*deployment.mutable_efficiency());
  if (!has_layout_ || !has_cluster_ || findings_.any_at("deployment")) return;
  for (const serving::DeploymentProblem& problem : serving::check_deployment(d)) {
    error(problem.field, problem.message, problem.hint);
  }
}

}  // namespace moesim::scenario
