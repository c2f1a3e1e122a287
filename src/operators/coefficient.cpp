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

std::vector<double> carried(std::vector<double> values, std::span<const CoefficientSpec> specs) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].stays) values[i] = 0.0;
  }
  return values;
}

std::vector<double> values_for(const catalog::Gpu& gpu, const catalog::CurveMatch& match,
                               std::span<const CoefficientSpec> specs) {
  std::vector<double> values = values_of(*match.curve, specs);
  return match.gpu->name == gpu.name ? values : carried(std::move(values), specs);
}

}  // namespace moesim::operators
