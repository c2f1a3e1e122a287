#include "serving/kernels.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "operators/kernel_format.h"

namespace moesim::serving {
namespace {

using catalog::CurveMatch;

/// The format a curve was measured in, with the bytes the weights really take.
operators::KernelFormat format_of(const catalog::Curve& curve,
                                  const catalog::WeightFormat& weights) {
  operators::KernelFormat format = *operators::kernel_format(curve.key.dtype);
  format.weight_bytes = weights.bytes_per_weight() / kByte;
  return format;
}

/// A curve of another number format than the weights' own is an estimate, wherever it ranks.
std::optional<CurveMatch> marked(const catalog::CurveSet& curves,
                                 const std::optional<CurveMatch>& match,
                                 const catalog::WeightFormat& weights) {
  if (!match || match->estimate || match->curve->key.dtype == operators::dtype_of(weights)) {
    return match;
  }
  return curves.as_estimate(*match);
}

std::string_view cache_format(Bytes kv_element) { return kv_element <= kByte ? "fp8" : "bf16"; }

}  // namespace

void Kernels::note(StepPart part, std::string_view operation, std::optional<CurveMatch> match,
                   bool own_of_engine) {
  PricedBy entry{.part = part, .operation = std::string(operation)};
  if (match) {
    if (own_of_engine && deployment_->engine.kernels_borrowed && !match->estimate) {
      match = deployment_->curves->as_estimate(*match);
    }
    const catalog::CurveKey& key = match->curve->key;
    entry.curve = key.gpu;
    for (const std::string& word : {key.dtype, key.engine, key.variant}) {
      if (!word.empty()) entry.curve += " " + word;
    }
    entry.estimate = match->estimate;
    entry.band = match->band;
  }
  if (std::find(priced_by_.begin(), priced_by_.end(), entry) == priced_by_.end()) {
    priced_by_.push_back(std::move(entry));
  }
}

std::optional<CurveMatch> Kernels::find(StepPart part, std::string_view operation,
                                        const catalog::WeightFormat& weights,
                                        std::string_view variant) {
  const Deployment& d = *deployment_;
  std::optional<CurveMatch> match;
  if (d.curves) {
    match = d.curves->find(operation, d.cluster.gpu, operators::dtypes_for(weights, d.cluster.gpu),
                           d.engine.kernels, variant, d.engine.kernels_borrowed);
    match = marked(*d.curves, match, weights);
  }
  note(part, operation, match);
  return match;
}

operators::GemmTimer Kernels::gemm(StepPart part, const catalog::WeightFormat& weights) {
  const Deployment& d = *deployment_;
  const Bytes activation = d.precision.activation_element;
  if (!d.roofline_only.gemm) {
    if (const auto match = find(part, "gemm", weights)) {
      return {
          weights, activation, d.cluster.gpu,
          operators::GemmCurve(
              catalog::achievable(d.cluster.gpu, *match->gpu), format_of(*match->curve, weights),
              values_for(d.cluster.gpu, *match, operators::GemmCurve::coefficients()))};
    }
  } else {
    note(part, "gemm", std::nullopt);
  }
  return {weights, activation, d.cluster.gpu, d.efficiency.gemm};
}

operators::GemmTimer Kernels::head() {
  const Deployment& d = *deployment_;
  const catalog::WeightFormat& weights = d.precision.head;
  if (!d.roofline_only.lm_head) return gemm(StepPart::Head, weights);
  note(StepPart::Head, "gemm", std::nullopt);
  return {weights, d.precision.activation_element, d.cluster.gpu, d.efficiency.lm_head};
}

operators::AttentionTimer Kernels::attention(const catalog::Attention& attention) {
  const Deployment& d = *deployment_;
  operators::AttentionCurves curves;
  const bool measured_kind = attention.kind == catalog::AttentionKind::Gqa;
  if (d.curves && measured_kind) {
    curves = operators::find_attention_curves(
        *d.curves, d.cluster.gpu, d.engine.kernels, d.engine.kernels_borrowed,
        operators::attention_heads(attention, d.layout.tp), d.precision.kv_element);
    if (d.roofline_only.prefill_attention) curves.prefill.reset();
    if (d.roofline_only.decode_attention) curves.decode.reset();
  }
  note(StepPart::Attention, "attention_prefill",
       curves.prefill ? curves.prefill_match : std::nullopt);
  note(StepPart::Attention, "attention_decode", curves.decode ? curves.decode_match : std::nullopt);
  if (curves.prefill || curves.decode) {
    return {attention,
            d.layout.tp,
            d.precision.kv_element,
            d.cluster.gpu,
            d.efficiency.prefill_attention,
            d.efficiency.decode_attention,
            curves};
  }
  return {attention,
          d.layout.tp,
          d.precision.kv_element,
          d.cluster.gpu,
          d.efficiency.prefill_attention,
          d.efficiency.decode_attention};
}

std::optional<operators::MlaBlockCurve> Kernels::mla_block(const catalog::Attention& attention) {
  const Deployment& d = *deployment_;
  if (attention.kind != catalog::AttentionKind::Mla || !d.curves || d.roofline_only.gemm ||
      d.roofline_only.prefill_attention || d.roofline_only.decode_attention) {
    return std::nullopt;
  }
  const std::string_view cache = cache_format(d.precision.kv_element);
  const auto match = find(StepPart::Attention, "mla_block", d.precision.attention, cache);
  if (!match) return std::nullopt;
  return operators::MlaBlockCurve(
      catalog::achievable(d.cluster.gpu, *match->gpu),
      format_of(*match->curve, d.precision.attention), *operators::kernel_format(cache),
      operators::MlaShape::of(attention, d.model.hidden, d.layout.tp),
      values_for(d.cluster.gpu, *match, operators::MlaBlockCurve::coefficients()));
}

operators::ExpertKernels Kernels::experts(const operators::ExpertShape& shape,
                                          std::int64_t local_experts, std::int64_t topk,
                                          TokensCome tokens, operators::ExpertLayout layout) {
  const Deployment& d = *deployment_;
  const catalog::WeightFormat& weights = d.precision.routed_experts;
  // TensorRT-LLM's kernels sort what the whole group sent; without an exchange all do.
  const bool sorts_all = tokens != TokensCome::ByDeepEp || d.engine.kernels == "trtllm";
  const operators::ExpertKernels::Setting setting{
      .topk = topk, .layout = layout, .sorts_all = sorts_all};
  const auto plain = [&] {
    return operators::ExpertKernels(
        operators::ExpertTimer(shape, weights, d.precision.activation_element, d.cluster.gpu,
                               d.efficiency.grouped_gemm),
        setting);
  };
  if (d.roofline_only.grouped_gemm || !d.curves) {
    note(StepPart::Experts, "expert_gemm", std::nullopt);
    return plain();
  }
  if (auto curve = exchanged_experts(shape, setting, tokens, local_experts)) return *curve;
  const auto match = marked(*d.curves, usual_experts(shape.matrices), weights);
  note(StepPart::Experts, "expert_gemm", match);
  if (!match) return plain();
  return {grouped_curve(*match, shape, setting, local_experts), setting};
}

std::optional<CurveMatch> Kernels::usual_experts(std::int64_t matrices) const {
  const Deployment& d = *deployment_;
  const auto dtypes = operators::dtypes_for(d.precision.routed_experts, d.cluster.gpu);
  const auto ask = [&](std::string_view engine, std::string_view dtype) {
    return d.curves->find("expert_gemm", d.cluster.gpu, dtypes, engine,
                          operators::usual_expert_kernel(d.cluster.gpu, engine, dtype, matrices),
                          d.engine.kernels_borrowed);
  };
  // Of mxfp4 weights with wide activations SGLang's curve is one of Triton's kernels, which other
  // engines have faster ones for: theirs is that of TensorRT-LLM.
  const bool wide_mxfp4 = d.engine.kernels_borrowed && dtypes.front() == "mxfp4a16";
  const std::string engine = wide_mxfp4 ? "trtllm" : d.engine.kernels;
  const auto match = ask(engine, dtypes.front());
  if (!match) return match;
  // Another engine or format stands in: its own usual kernel, not the first by name.
  const catalog::CurveKey& key = match->curve->key;
  if (key.engine == engine && key.dtype == dtypes.front()) return match;
  auto again = d.curves->find(
      "expert_gemm", d.cluster.gpu, dtypes, key.engine,
      operators::usual_expert_kernel(d.cluster.gpu, key.engine, key.dtype, matrices));
  return again && again->curve->key.engine == key.engine ? d.curves->as_estimate(*again) : match;
}

operators::ExpertCurve Kernels::grouped_curve(const CurveMatch& match,
                                              const operators::ExpertShape& shape,
                                              const operators::ExpertKernels::Setting& setting,
                                              std::int64_t local_experts) const {
  const Deployment& d = *deployment_;
  return {catalog::achievable(d.cluster.gpu, *match.gpu),
          format_of(*match.curve, d.precision.routed_experts),
          operators::ExpertBlock{.hidden = shape.hidden,
                                 .intermediate = shape.intermediate,
                                 .matrices = shape.matrices,
                                 .local_experts = local_experts,
                                 .topk = setting.topk},
          values_for(d.cluster.gpu, match, operators::ExpertCurve::coefficients())};
}

std::optional<operators::ExpertKernels> Kernels::exchanged_experts(
    const operators::ExpertShape& shape, const operators::ExpertKernels::Setting& setting,
    TokensCome tokens, std::int64_t local_experts) {
  const Deployment& d = *deployment_;
  // DeepEP's kernels, and the layouts they leave, are those of GPUs behind NVLink switches.
  const bool switched = d.cluster.gpu.scale_up == catalog::ScaleUpKind::NvSwitch;
  if (tokens == TokensCome::NotSent || !switched || shape.matrices != 3) return std::nullopt;
  const bool deepep = d.engine.kernels == "sglang";
  if (deepep && tokens != TokensCome::ByDeepEp) return std::nullopt;
  const std::string_view operation = deepep ? "deepep_experts" : "expert_rank";
  const std::string_view variant =
      deepep ? operators::DeepEpExpertCurve::variant(setting.layout) : std::string_view();
  const catalog::WeightFormat& weights = d.precision.routed_experts;
  // Only in the format measured: for others the usual kernels' own curves are nearer.
  const std::string_view own = operators::dtypes_for(weights, d.cluster.gpu).front();
  const auto match =
      d.curves->find(operation, d.cluster.gpu, std::span(&own, 1), d.engine.kernels, variant);
  if (!match || match->curve->key.variant != variant) return std::nullopt;
  note(StepPart::Experts, operation, match);
  if (!deepep) {
    return operators::ExpertKernels(grouped_curve(*match, shape, setting, local_experts), setting);
  }
  return operators::ExpertKernels(
      operators::DeepEpExpertCurve(
          catalog::achievable(d.cluster.gpu, *match->gpu), shape, format_of(*match->curve, weights),
          values_for(d.cluster.gpu, *match, operators::DeepEpExpertCurve::coefficients())),
      setting);
}

std::optional<operators::MeasuredExchange> Kernels::exchange(
    operators::AllToAllKind kind, const operators::ExchangeShape& shape) {
  const Deployment& d = *deployment_;
  std::optional<operators::MeasuredExchange> measured;
  if (d.curves && d.cluster.gpu.scale_up == catalog::ScaleUpKind::NvSwitch) {
    measured = operators::measured_exchange(*d.curves, d.cluster.gpu, kind, shape);
  }
  if (!measured) {
    if (kind == operators::AllToAllKind::LowLatency) return measured;  // The normal way stands in.
    for (const StepPart part : {StepPart::Dispatch, StepPart::Combine}) {
      note(part, "all_to_all", std::nullopt);
    }
    return measured;
  }
  const char* name = kind == operators::AllToAllKind::Normal       ? "deepep_normal"
                     : kind == operators::AllToAllKind::LowLatency ? "deepep_low_latency"
                                                                   : "nvlink_all_to_all";
  for (const StepPart part : {StepPart::Dispatch, StepPart::Combine}) {
    PricedBy entry{.part = part,
                   .operation = name,
                   .curve = measured->gpu,
                   .estimate = measured->estimate ||
                               !operators::measured_dispatch(kind, d.precision.dispatch_element),
                   .band = measured->band};
    if (std::find(priced_by_.begin(), priced_by_.end(), entry) == priced_by_.end()) {
      priced_by_.push_back(std::move(entry));
    }
  }
  return measured;
}

}  // namespace moesim::serving
