// The fitted curves that a layer's attention runs on, chosen from a set for one GPU and engine.
//
// Layer: operators.
#pragma once

#include <optional>
#include <string_view>

#include "catalog/curve.h"
#include "catalog/gpu.h"
#include "operators/attention_batch.h"
#include "operators/decode_attention_curve.h"
#include "operators/prefill_attention_curve.h"

namespace moesim::operators {

/// Curves for both phases; one that is absent leaves its phase to the plain roofline.
struct AttentionCurves {
  std::optional<PrefillAttentionCurve> prefill;
  std::optional<DecodeAttentionCurve> decode;
  /// Where they come from; set where the curve is.
  std::optional<catalog::CurveMatch> prefill_match;
  std::optional<catalog::CurveMatch> decode_match;
};

/// Nearest curves of `engine` (`borrowed`: in the place of another one) for such heads on `gpu`.
/// Keys and values of at most one byte run in fp8 where the GPU has it, as both measured engines
/// do. Where the kernel's own variant was not measured on that GPU, another head width of the same
/// GPU stands in.
[[nodiscard]] AttentionCurves find_attention_curves(const catalog::CurveSet& curves,
                                                    const catalog::Gpu& gpu,
                                                    std::string_view engine, bool borrowed,
                                                    const AttentionHeads& heads, Bytes kv_element);

}  // namespace moesim::operators
