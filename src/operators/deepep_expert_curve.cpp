#include "operators/deepep_expert_curve.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/check.h"

namespace moesim::operators {
namespace {

enum Coefficient : std::size_t { kHost, kBase, kMemory, kCompute, kGroupPasses, kExpert };

constexpr std::array<CoefficientSpec, 6> kSpecs{{
    {"host_us", 200.0, 0.1, 1000.0},
    {"base_us", 20.0, 0.1, 500.0},
    {"memory_efficiency", 0.8, 0.2, 1.0},
    {"compute_efficiency", 0.6, 0.05, 1.0, Carried::ShareOfPeak},
    {"group_passes", 2.0, 1e-3, 50.0},
    {"expert_us", 0.5, 1e-3, 5.0},
}};

constexpr std::int64_t kContiguousBlock = 128;
constexpr std::int64_t kMaskedBlock = 64;
constexpr double kWide = 2.0;  ///< Bytes of a BF16 element.

/// (a^8 + b^8)^(1/8), exact operations only.
double smooth_max8(double a, double b) {
  const double high = std::max(a, b);
  const double ratio = std::min(a, b) / high;
  const double square = ratio * ratio;
  const double fourth = square * square;
  return high * std::sqrt(std::sqrt(std::sqrt(1.0 + fourth * fourth)));
}

}  // namespace

DeepEpExpertLoad deepep_expert_load(std::span<const std::int32_t> tokens, std::int64_t group_tokens,
                                    ExpertLayout layout) {
  const std::int64_t block = layout == ExpertLayout::Contiguous ? kContiguousBlock : kMaskedBlock;
  DeepEpExpertLoad load{.experts = static_cast<std::int64_t>(tokens.size()),
                        .group_tokens = group_tokens};
  for (const std::int64_t n : tokens) {
    load.pairs += n;
    load.rows += (n + block - 1) / block * block;
    load.touched += n > 0 ? 1 : 0;
  }
  return load;
}

std::span<const CoefficientSpec> DeepEpExpertCurve::coefficients() { return kSpecs; }

std::string_view DeepEpExpertCurve::variant(ExpertLayout layout) {
  return layout == ExpertLayout::Contiguous ? "contiguous" : "masked";
}

DeepEpExpertCurve::DeepEpExpertCurve(const catalog::Gpu& gpu, const ExpertShape& shape,
                                     const KernelFormat& format, std::span<const double> values) {
  MOESIM_CHECK(values.size() == kSpecs.size(), "a curve has all its coefficients");
  constexpr double kMicro = 1e-6;
  const double peak = gpu.peak(format.math) / (kFlop / kSecond);
  const double bandwidth = gpu.memory_bandwidth / (kByte / kSecond);
  const auto hidden = static_cast<double>(shape.hidden);
  const auto intermediate = static_cast<double>(shape.intermediate);
  const auto matrices = static_cast<double>(shape.matrices);
  const double weights = matrices * hidden * intermediate;
  // Gathered in, result out and back in place; outputs of the first multiplication and the
  // activation's result, each written and read.
  const double row = (matrices * hidden + (matrices + 1.0) * intermediate) * kWide;
  host_ = values[kHost] * kMicro;
  base_ = values[kBase] * kMicro;
  per_row_ = 2.0 * weights / (peak * values[kCompute]);
  per_expert_touched_ = weights * format.weight_bytes / (bandwidth * values[kMemory]);
  per_pair_ = row / (bandwidth * values[kMemory]);
  per_expert_ = values[kExpert] * kMicro;
  per_group_token_ = values[kGroupPasses] * hidden * kWide / bandwidth;
}

OperatorTime DeepEpExpertCurve::time(const DeepEpExpertLoad& load) const {
  const double compute = per_row_ * static_cast<double>(load.rows);
  const double memory = per_expert_touched_ * static_cast<double>(load.touched) +
                        per_pair_ * static_cast<double>(load.pairs);
  const double fixed = base_ + per_expert_ * static_cast<double>(load.experts);
  const double group = per_group_token_ * static_cast<double>(load.group_tokens);
  const double roofs = std::sqrt(compute * compute + memory * memory);
  OperatorTime out{.time = smooth_max8(host_, fixed + group + roofs) * kSecond};
  if (std::max(host_, fixed) > std::max(compute, memory + group)) {
    out.bound = Bound::Launch;
  } else {
    out.bound = compute > memory + group ? Bound::Compute : Bound::Memory;
  }
  return out;
}

}  // namespace moesim::operators
