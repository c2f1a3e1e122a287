// What kind of kernel exchanges tokens, and the measured curves of its dispatch and combine.
//
// Layer: operators.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "catalog/curve.h"
#include "catalog/gpu.h"
#include "core/units.h"
#include "operators/deepep_low_latency_curve.h"
#include "operators/deepep_normal_curve.h"
#include "operators/nvlink_all_to_all_curve.h"

namespace moesim::operators {

/// How tokens travel to their experts.
enum class AllToAllKind {
  Normal,      ///< Once to each remote domain and from there over scale-up (DeepEP normal).
  LowLatency,  ///< Straight to the rank of each chosen expert, a copy per pick (DeepEP low
               ///< latency).
  NvLink,      ///< Once to each rank of a single domain (TensorRT-LLM's kernels over NVLink).
};

enum class ExchangePhase { Dispatch, Combine };

/// What the kernels' own time depends on besides the links.
struct ExchangeShape {
  std::int64_t hidden = 0;
  std::int64_t top_k = 0;
  std::int64_t experts = 0;
  std::int64_t communication_sms = 20;  ///< Normal kind.
};

struct LowLatencyCurves {
  DeepEpLowLatencyCurve dispatch;
  DeepEpLowLatencyCurve combine;
};
struct NormalCurves {
  DeepEpNormalCurve dispatch;
  DeepEpNormalCurve combine;
};
struct NvlinkCurves {
  NvlinkAllToAllCurve dispatch;
  NvlinkAllToAllCurve combine;
  std::optional<NvlinkAllToAllCurve> prepare;  ///< Two-sided kernels: counted into the dispatch.
};

/// Without curves an exchange takes its latency and the time of the busiest link.
struct ExchangeModel {
  AllToAllKind kind = AllToAllKind::Normal;
  ExchangeShape shape{};
  std::variant<std::monostate, LowLatencyCurves, NormalCurves, NvlinkCurves> curves{};
};

/// Bytes of a copy: elements of `dispatch_element` out and BF16 back, with the kernels' headers.
[[nodiscard]] Bytes copy_size(AllToAllKind kind, ExchangePhase phase, const ExchangeShape& shape,
                              Bytes dispatch_element);

/// Whether elements of that size were sent when the kernels were timed (FP8 with scales).
[[nodiscard]] bool measured_dispatch(AllToAllKind kind, Bytes dispatch_element);

/// A model with the nearest curves, and what they may be trusted with.
struct MeasuredExchange {
  ExchangeModel model;
  std::string gpu;  ///< Whose curves they are.
  bool estimate = false;
  catalog::ErrorBand band;
};
/// Nothing if no curve of the kind's operation is known. NvLink takes the two-sided kernels.
[[nodiscard]] std::optional<MeasuredExchange> measured_exchange(const catalog::CurveSet& curves,
                                                                const catalog::Gpu& gpu,
                                                                AllToAllKind kind,
                                                                const ExchangeShape& shape);

}  // namespace moesim::operators
