#include "operators/attention_curves.h"

#include <array>
#include <span>
#include <string>
#include <vector>

#include "core/check.h"

namespace moesim::operators {
namespace {

/// The wanted variant first, then those of other head widths, the most measured one first.
std::optional<catalog::CurveMatch> find(const catalog::CurveSet& curves, std::string_view operation,
                                        const catalog::Gpu& gpu,
                                        std::span<const std::string_view> dtypes,
                                        std::string_view engine, bool borrowed,
                                        const std::string& variant) {
  constexpr std::array<std::string_view, 4> kOthers{"d128", "d256", "d64", "d192"};
  const std::optional<catalog::CurveMatch> wanted =
      curves.find(operation, gpu, dtypes, engine, variant, borrowed);
  if (!wanted || wanted->curve->key.variant == variant) return wanted;
  // The set names no order among variants: any curve of the same GPU came back.
  for (const std::string_view other : kOthers) {
    const auto match = curves.find(operation, gpu, dtypes, engine, other, borrowed);
    if (match && match->curve->key.variant == other) {
      catalog::CurveMatch estimate = *match;
      estimate.estimate = true;
      return estimate;
    }
  }
  return wanted;
}

}  // namespace

AttentionHeads attention_heads(const catalog::Attention& attention, std::int64_t tp) {
  MOESIM_CHECK(tp >= 1, "a tensor-parallel degree is below 1");
  const auto share = [tp](std::int64_t heads) { return (heads + tp - 1) / tp; };
  return {.heads = share(attention.heads),
          .kv_heads = share(attention.kv_heads),
          .head_dim = attention.head_dim,
          .v_head_dim = attention.v_head_dim > 0 ? attention.v_head_dim : attention.head_dim,
          .shared_kv = attention.shared_kv,
          .window = attention.cache_entries_per_token < 1.0 ? 0 : attention.window};
}

AttentionCurves find_attention_curves(const catalog::CurveSet& curves, const catalog::Gpu& gpu,
                                      std::string_view engine, bool borrowed,
                                      const AttentionHeads& heads, Bytes kv_element) {
  using catalog::MathFormat;
  const bool fp8 = kv_element <= kByte && gpu.fp8 > FlopsPerSecond{};
  const std::vector<std::string_view> dtypes =
      fp8 ? std::vector<std::string_view>{"fp8", "bf16"} : std::vector<std::string_view>{"bf16"};
  AttentionCurves found;
  found.prefill_match = find(curves, "attention_prefill", gpu, dtypes, engine, borrowed,
                             PrefillAttentionCurve::variant(heads));
  if (found.prefill_match) {
    const catalog::Curve& curve = *found.prefill_match->curve;
    const MathFormat math = curve.key.dtype == "fp8" ? MathFormat::Fp8 : MathFormat::Bf16;
    found.prefill.emplace(
        catalog::achievable(gpu, *found.prefill_match->gpu), heads, kv_element, math,
        values_for(gpu, *found.prefill_match, PrefillAttentionCurve::coefficients()));
  }
  found.decode_match = find(curves, "attention_decode", gpu, dtypes, engine, borrowed,
                            DecodeAttentionCurve::variant(engine, heads));
  if (found.decode_match) {
    // Decode multiplies in bf16 whatever the cache holds.
    const catalog::Curve& curve = *found.decode_match->curve;
    found.decode.emplace(
        catalog::achievable(gpu, *found.decode_match->gpu), heads, kv_element, MathFormat::Bf16,
        curve.key.variant,
        values_for(gpu, *found.decode_match, DecodeAttentionCurve::coefficients()));
  }
  return found;
}

}  // namespace moesim::operators
