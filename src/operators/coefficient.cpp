#include "operators/coefficient.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/check.h"
#include "operators/batched_gemm_curve.h"
#include "operators/board_power.h"
#include "operators/decode_attention_curve.h"
#include "operators/deepep_expert_curve.h"
#include "operators/deepep_low_latency_curve.h"
#include "operators/deepep_normal_curve.h"
#include "operators/engine_all_reduce_curve.h"
#include "operators/expert_curve.h"
#include "operators/gemm_curve.h"
#include "operators/kernel_format.h"
#include "operators/mla_block_curve.h"
#include "operators/mla_decode_curve.h"
#include "operators/mla_prefill_curve.h"
#include "operators/nccl_curve.h"
#include "operators/nvlink_all_to_all_curve.h"
#include "operators/prefill_attention_curve.h"

namespace moesim::operators {
namespace {

struct Operation {
  std::string_view name;
  std::span<const CoefficientSpec> (*coefficients)();
};

// One line per calibrated operation, by name.
const std::vector<Operation>& operations() {
  static const std::vector<Operation> all{
      {"attention_decode", &DecodeAttentionCurve::coefficients},
      {"attention_prefill", &PrefillAttentionCurve::coefficients},
      {"deepep_experts", &DeepEpExpertCurve::coefficients},
      {"deepep_low_latency", &DeepEpLowLatencyCurve::coefficients},
      {"deepep_normal", &DeepEpNormalCurve::coefficients},
      {"engine_all_reduce", &EngineAllReduceCurve::coefficients},
      {"expert_gemm", &ExpertCurve::coefficients},
      {"expert_rank", &ExpertCurve::coefficients},
      {"gemm", &GemmCurve::coefficients},
      {"mla_bmm", &BatchedGemmCurve::coefficients},
      {"mla_block", &MlaBlockCurve::coefficients},
      {"mla_decode", &MlaDecodeCurve::coefficients},
      {"mla_prefill", &MlaPrefillCurve::coefficients},
      {"nccl", &NcclCurve::coefficients},
      {"nvlink_all_to_all", &NvlinkAllToAllCurve::coefficients},
      {"power_gemm", &BoardPower::coefficients},
  };
  return all;
}

/// Arithmetic per multiprocessor of `gpu` over that of `measured` in the format `dtype`.
double arithmetic_ratio(const catalog::Gpu& gpu, const catalog::Gpu& measured,
                        std::string_view dtype) {
  const auto format = kernel_format(dtype);
  if (!format || gpu.architecture != measured.architecture || gpu.sms <= 0 || measured.sms <= 0 ||
      catalog::best_multiplies_known(gpu, measured, format->math)) {
    return 1.0;
  }
  return (gpu.peak(format->math) / static_cast<double>(gpu.sms)) /
         (measured.peak(format->math) / static_cast<double>(measured.sms));
}

}  // namespace

std::span<const CoefficientSpec> coefficients_of(std::string_view operation) {
  for (const Operation& known : operations()) {
    if (known.name == operation) return known.coefficients();
  }
  return {};
}

std::span<const std::string_view> curve_operations() {
  static const std::vector<std::string_view> names = [] {
    std::vector<std::string_view> all;
    for (const Operation& operation : operations()) all.push_back(operation.name);
    return all;
  }();
  return names;
}

std::vector<double> values_of(const catalog::Curve& curve, std::span<const CoefficientSpec> specs) {
  std::vector<double> values;
  values.reserve(specs.size());
  for (const CoefficientSpec& spec : specs) {
    const auto found =
        std::find_if(curve.coefficients.begin(), curve.coefficients.end(),
                     [&](const catalog::NamedCoefficient& c) { return c.name == spec.name; });
    MOESIM_CHECK(found != curve.coefficients.end(),
                 "a curve without a coefficient passed its checks");
    values.push_back(found->value);
  }
  return values;
}

std::vector<double> carried(std::vector<double> values, std::span<const CoefficientSpec> specs,
                            double ratio) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    double& value = values[i];
    switch (specs[i].carried) {
      case Carried::AsItIs:
        break;
      case Carried::Nowhere:
        value = 0.0;
        break;
      case Carried::ShareOfPeak:
        value = 1.0 / (1.0 + (1.0 / value - 1.0) * ratio);
        break;
      case Carried::TimesPeak:
        value = 1.0 + (value - 1.0) * ratio;
        break;
      case Carried::BeyondPeak:
        value *= ratio;
        break;
    }
  }
  return values;
}

std::vector<double> values_for(const catalog::Gpu& gpu, const catalog::CurveMatch& match,
                               std::span<const CoefficientSpec> specs) {
  std::vector<double> values = values_of(*match.curve, specs);
  if (match.gpu->name == gpu.name) return values;
  return carried(std::move(values), specs,
                 arithmetic_ratio(gpu, *match.gpu, match.curve->key.dtype));
}

}  // namespace moesim::operators
