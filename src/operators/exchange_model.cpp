#include "operators/exchange_model.h"

#include <string_view>
#include <utility>
#include <vector>

#include "operators/coefficient.h"

namespace moesim::operators {
namespace {

using catalog::CurveMatch;
using catalog::CurveSet;
using catalog::Gpu;

/// An element sent in FP8, with a 32-bit scale for every 128.
constexpr Bytes kMeasuredDispatch = Bytes::from_base(1.0 + 4.0 / 128.0);

/// Curves of the phases of one kind; none of another phase stands in.
class PhaseFinder {
 public:
  PhaseFinder(const CurveSet& curves, const Gpu& gpu, std::string_view operation,
              std::string_view engine)
      : curves_(curves), gpu_(gpu), operation_(operation), engine_(engine) {}

  [[nodiscard]] std::optional<CurveMatch> find(std::string_view variant) const {
    const auto match = curves_.find(operation_, gpu_, {}, engine_, variant);
    if (!match || match->curve->key.variant != variant) return std::nullopt;
    return match;
  }
  [[nodiscard]] std::vector<double> values(const CurveMatch& match) const {
    return values_of(*match.curve, coefficients_of(operation_));
  }

 private:
  const CurveSet& curves_;
  const Gpu& gpu_;
  std::string_view operation_;
  std::string_view engine_;
};

MeasuredExchange trusted(ExchangeModel model, const CurveMatch& dispatch,
                         const CurveMatch& combine) {
  return {.model = std::move(model),
          .gpu = dispatch.curve->key.gpu,
          .estimate = dispatch.estimate || combine.estimate,
          .band = catalog::wider(dispatch.band, combine.band)};
}

}  // namespace

Bytes copy_size(AllToAllKind kind, ExchangePhase phase, const ExchangeShape& shape,
                Bytes dispatch_element) {
  const bool dispatch = phase == ExchangePhase::Dispatch;
  const auto hidden = static_cast<double>(shape.hidden);
  const Bytes payload = hidden * (dispatch ? dispatch_element : 2.0 * kByte);
  switch (kind) {
    case AllToAllKind::Normal:
      // Beside the payload measured (FP8 with scales): for each pick its expert and weight.
      return dispatch ? normal_dispatch_copy(shape.hidden, shape.top_k) -
                            hidden * kMeasuredDispatch + payload
                      : normal_combine_copy(shape.hidden, shape.top_k);
    case AllToAllKind::LowLatency:
      return dispatch
                 ? low_latency_dispatch_copy(shape.hidden) - hidden * kMeasuredDispatch + payload
                 : low_latency_combine_copy(shape.hidden);
    case AllToAllKind::NvLink:
      break;
  }
  return payload + 8.0 * static_cast<double>(shape.top_k) * kByte;
}

bool measured_dispatch(AllToAllKind kind, Bytes dispatch_element) {
  return kind == AllToAllKind::NvLink || dispatch_element == kMeasuredDispatch;
}

std::optional<MeasuredExchange> measured_exchange(const CurveSet& curves, const Gpu& gpu,
                                                  AllToAllKind kind, const ExchangeShape& shape) {
  const bool nvlink = kind == AllToAllKind::NvLink;
  const PhaseFinder finder(curves, gpu,
                           nvlink                             ? "nvlink_all_to_all"
                           : kind == AllToAllKind::LowLatency ? "deepep_low_latency"
                                                              : "deepep_normal",
                           nvlink ? "trtllm" : "deepep");
  const auto dispatch = finder.find(nvlink ? "dispatch_two_sided" : "dispatch");
  const auto combine = finder.find(nvlink ? "combine_two_sided" : "combine");
  if (!dispatch || !combine) return std::nullopt;
  const std::vector<double> out = finder.values(*dispatch);
  const std::vector<double> back = finder.values(*combine);
  ExchangeModel model{.kind = kind, .shape = shape};
  switch (kind) {
    case AllToAllKind::Normal:
      model.curves = NormalCurves{DeepEpNormalCurve(out), DeepEpNormalCurve(back)};
      break;
    case AllToAllKind::LowLatency:
      model.curves = LowLatencyCurves{DeepEpLowLatencyCurve(out), DeepEpLowLatencyCurve(back)};
      break;
    case AllToAllKind::NvLink: {
      NvlinkCurves found{.dispatch = NvlinkAllToAllCurve(gpu.memory_bandwidth, out),
                         .combine = NvlinkAllToAllCurve(gpu.memory_bandwidth, back),
                         .prepare = {}};
      if (const auto prepare = finder.find("prepare_two_sided")) {
        found.prepare.emplace(gpu.memory_bandwidth, finder.values(*prepare));
      }
      model.curves = found;
      break;
    }
  }
  return trusted(std::move(model), *dispatch, *combine);
}

}  // namespace moesim::operators
