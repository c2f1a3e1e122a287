#include "catalog/curve.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

namespace moesim::catalog {

ErrorBand wider(const ErrorBand& a, const ErrorBand& b) {
  return {.median = std::max(a.median, b.median),
          .p90 = std::max(a.p90, b.p90),
          .low = std::min(a.low, b.low),
          .high = std::max(a.high, b.high)};
}

namespace {

/// Best measured multiply over the data sheet; 0 if not published.
double best_share(const Gpu& gpu, MathFormat format) {
  const FlopsPerSecond best = format == MathFormat::Bf16  ? gpu.measured_bf16
                              : format == MathFormat::Fp8 ? gpu.measured_fp8
                                                          : FlopsPerSecond{};
  const FlopsPerSecond sheet = format == MathFormat::Bf16 ? gpu.bf16 : gpu.fp8;
  return best > FlopsPerSecond{} && sheet > FlopsPerSecond{} ? best / sheet : 0.0;
}

}  // namespace

bool best_multiplies_known(const Gpu& gpu, const Gpu& measured, MathFormat format) {
  return best_share(gpu, format) > 0.0 && best_share(measured, format) > 0.0;
}

Gpu achievable(const Gpu& gpu, const Gpu& measured) {
  Gpu seen = gpu;
  if (gpu.name == measured.name) return seen;
  const bool alike = gpu.architecture == measured.architecture;
  double share = 1.0;
  const auto next = [&](MathFormat format) {
    if (best_multiplies_known(gpu, measured, format)) {
      share = std::min(1.0, best_share(gpu, format) / best_share(measured, format));
    } else if (alike) {
      share = 1.0;
    }
    return share;
  };
  seen.bf16 *= next(MathFormat::Bf16);
  seen.fp8 *= next(MathFormat::Fp8);
  seen.fp4 *= next(MathFormat::Fp4);
  return seen;
}

CurveSet::CurveSet(std::vector<Curve> curves, std::span<const Gpu> gpus)
    : curves_(std::move(curves)) {
  gpu_of_.reserve(curves_.size());
  for (const Curve& curve : curves_) {
    const auto is_named = [&](const Gpu& gpu) { return gpu.name == curve.key.gpu; };
    auto known = std::find_if(gpus_.begin(), gpus_.end(), is_named);
    if (known == gpus_.end()) {
      const auto found = std::find_if(gpus.begin(), gpus.end(), is_named);
      if (found == gpus.end()) {
        gpu_of_.push_back(-1);
        continue;
      }
      gpus_.push_back(*found);
      known = gpus_.end() - 1;
    }
    gpu_of_.push_back(known - gpus_.begin());
  }
  find_odd();
}

void CurveSet::find_odd() {
  constexpr double kFarWorse = 2.0;
  odd_.assign(curves_.size(), 0);
  for (std::size_t i = 0; i < curves_.size(); ++i) {
    const Curve& curve = curves_[i];
    if (!curve.transferred) continue;
    odd_[i] = std::any_of(curves_.begin(), curves_.end(), [&](const Curve& other) {
      CurveKey same = other.key;
      same.engine = curve.key.engine;
      return same == curve.key && other.transferred &&
             curve.transferred->median > kFarWorse * other.transferred->median;
    });
  }
}

const Curve* CurveSet::find_exact(const CurveKey& key) const {
  const auto found = std::find_if(curves_.begin(), curves_.end(),
                                  [&](const Curve& curve) { return curve.key == key; });
  return found == curves_.end() ? nullptr : &*found;
}

double CurveSet::distance(const Gpu& measured, const Gpu& gpu) {
  // Rates of a GPU are products of a few design choices: their ratios tell how alike two are.
  const double arithmetic = measured.bf16 / gpu.bf16;
  const double memory = measured.memory_bandwidth / gpu.memory_bandwidth;
  return std::max(arithmetic, 1.0 / arithmetic) * std::max(memory, 1.0 / memory);
}

std::optional<CurveMatch> CurveSet::find(std::string_view operation, const Gpu& gpu,
                                         std::span<const std::string_view> dtypes,
                                         std::string_view engine, std::string_view variant,
                                         bool borrowed) const {
  constexpr std::string_view kNone;
  const std::span<const std::string_view> formats =
      dtypes.empty() ? std::span<const std::string_view>(&kNone, 1) : dtypes;
  using Rank = std::tuple<std::ptrdiff_t, int, double, bool, bool, bool, double>;
  std::optional<std::pair<Rank, std::size_t>> best;
  for (std::size_t i = 0; i < curves_.size(); ++i) {
    const CurveKey& key = curves_[i].key;
    if (key.operation != operation || gpu_of_[i] < 0) continue;
    const Gpu& measured = gpus_[static_cast<std::size_t>(gpu_of_[i])];
    const auto format = std::find(formats.begin(), formats.end(), key.dtype);
    if (format == formats.end()) continue;
    const int strangeness = key.gpu == gpu.name                         ? 0
                            : measured.architecture == gpu.architecture ? 1
                                                                        : 2;
    constexpr int kOtherArchitecture = 2;
    const double far = strangeness == 0 ? 1.0 : distance(measured, gpu);
    const Rank rank{format - formats.begin(),
                    strangeness,
                    strangeness == kOtherArchitecture ? far : 1.0,
                    (borrowed || strangeness > 0) && odd_[i] != 0,
                    key.engine != engine,
                    key.variant != variant,
                    far};
    if (!best || rank < best->first) best = {rank, i};
  }
  if (!best) return std::nullopt;
  const auto& [rank, index] = *best;
  const Curve* const curve = &curves_[index];
  const CurveMatch match{.curve = curve,
                         .estimate = false,
                         .band = curve->cross_validated,
                         .gpu = &gpus_[static_cast<std::size_t>(gpu_of_[index])]};
  const bool estimate =
      std::get<0>(rank) > 0 || std::get<1>(rank) > 0 || std::get<4>(rank) || std::get<5>(rank);
  return estimate ? as_estimate(match) : match;
}

CurveMatch CurveSet::as_estimate(CurveMatch match) const {
  match.estimate = true;
  std::optional<ErrorBand> beyond = match.curve->transferred;
  if (!beyond) {
    for (const Curve& other : curves_) {
      if (other.key.operation != match.curve->key.operation || !other.transferred) continue;
      beyond = beyond ? wider(*beyond, *other.transferred) : *other.transferred;
    }
  }
  if (!beyond) {
    const ErrorBand& own = match.band;
    beyond = {.median = 2.0 * own.median,
              .p90 = 2.0 * own.p90,
              .low = own.low * own.low,
              .high = own.high * own.high};
  }
  match.band = wider(match.band, *beyond);
  return match;
}

}  // namespace moesim::catalog
