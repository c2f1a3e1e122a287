#include "routing/popularity.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "core/check.h"
#include "core/math.h"
#include "core/text.h"

namespace moesim::routing {
namespace {

constexpr double kLast = 57.0;  // DeepSeek-V3 has 58 MoE layers.

// Straight lines through the standard deviations of ln load measured layer by layer.
constexpr std::array<DepthPoint, 9> kDecodeProfile = {{{0.0, 0.80},
                                                       {3 / kLast, 0.62},
                                                       {9 / kLast, 0.46},
                                                       {14 / kLast, 0.50},
                                                       {20 / kLast, 0.61},
                                                       {26 / kLast, 0.71},
                                                       {38 / kLast, 0.79},
                                                       {46 / kLast, 0.79},
                                                       {1.0, 0.63}}};
constexpr std::array<DepthPoint, 8> kPrefillProfile = {{{0.0, 0.84},
                                                        {3 / kLast, 0.66},
                                                        {9 / kLast, 0.49},
                                                        {15 / kLast, 0.60},
                                                        {21 / kLast, 0.73},
                                                        {33 / kLast, 0.84},
                                                        {45 / kLast, 0.88},
                                                        {1.0, 0.75}}};

constexpr std::array<PopularityPreset, 2> kPopularityPresets = {
    {{.name = "deepseek_v3_decode",
      .parameters = {.sigma = 0.67, .between_groups = 0.265, .profile = kDecodeProfile},
      .source = "DeepSeek-V3/R1 decode, 2,000 tokens in and 100 out: recorded expert loads that "
                "SGLang's team published with its large-scale EP report (2025-05)"},
     {.name = "deepseek_v3_prefill",
      .parameters = {.sigma = 0.74, .between_groups = 0.222, .profile = kPrefillProfile},
      .source = "DeepSeek-V3/R1 prefill, 2,048 tokens in: same recordings"}}};

double sigma_at(const LognormalParameters& parameters, double depth) {
  const auto profile = parameters.profile;
  if (profile.empty()) return parameters.sigma;
  if (depth <= profile.front().depth) return profile.front().sigma;
  for (std::size_t i = 1; i < profile.size(); ++i) {
    if (depth > profile[i].depth) continue;
    const double part = (depth - profile[i - 1].depth) / (profile[i].depth - profile[i - 1].depth);
    return profile[i - 1].sigma + part * (profile[i].sigma - profile[i - 1].sigma);
  }
  return profile.back().sigma;
}

/// Shifts and scales to mean 0 and mean square 1; all zeros if they are all equal.
void standardise(std::span<double> values) {
  const auto n = static_cast<double>(values.size());
  double mean = 0.0;
  for (const double v : values) mean += v / n;
  double square = 0.0;
  for (double& v : values) {
    v -= mean;
    square += v * v / n;
  }
  const double scale = square > 0.0 ? 1.0 / std::sqrt(square) : 0.0;
  for (double& v : values) v *= scale;
}

void normalise(std::span<double> row) {
  double sum = 0.0;
  for (const double v : row) sum += v;
  for (double& v : row) v /= sum;
}

std::string row_name(std::size_t row) { return "row " + std::to_string(row + 1); }

/// Appends a recorded row as shares, or what is wrong with it.
void add_row(const RoutingShape& shape, const std::vector<double>& row, std::size_t number,
             std::vector<double>& share, std::vector<std::string>& errors) {
  if (std::ssize(row) != shape.experts) {
    errors.push_back(row_name(number) + " has " + std::to_string(row.size()) +
                     " values, the model has " + std::to_string(shape.experts) + " experts");
    return;
  }
  double sum = 0.0;
  double largest = 0.0;
  double smallest = 0.0;  // Positive value.
  for (const double v : row) {
    if (!(v >= 0.0) || !(v <= 1e300)) {
      errors.push_back(row_name(number) + " has a load that is negative or not a finite number");
      return;
    }
    sum += v;
    largest = std::max(largest, v);
    if (v > 0.0 && (smallest == 0.0 || v < smallest)) smallest = v;
  }
  if (!(sum > 0.0) || !(sum <= 1e300)) {
    errors.push_back(row_name(number) + " has no load at all, or one beyond any count");
    return;
  }
  if (largest * static_cast<double>(shape.top_k) > sum * (1.0 + 1e-9)) {
    errors.push_back(row_name(number) + " has an expert with " + format_number(largest / sum) +
                     " of the load; with " + std::to_string(shape.top_k) +
                     " distinct experts per token no expert can exceed one part in " +
                     std::to_string(shape.top_k));
    return;
  }
  const double floor = std::min(0.5 * smallest, 1e-4 * sum / static_cast<double>(shape.experts));
  const std::size_t begin = share.size();
  for (const double v : row) share.push_back(std::max(v, floor));
  normalise(std::span(share).subspan(begin));
}

}  // namespace

Popularity uniform(const RoutingShape& shape) {
  return {.source = "uniform",
          .share = std::vector<double>(static_cast<std::size_t>(shape.moe_layers * shape.experts),
                                       1.0 / static_cast<double>(shape.experts))};
}

Popularity lognormal(const RoutingShape& shape, const LognormalParameters& parameters,
                     std::uint64_t seed) {
  const auto experts = static_cast<std::size_t>(shape.experts);
  const auto groups = static_cast<std::size_t>(shape.groups);
  const std::size_t size = experts / groups;
  const double between = groups > 1 ? parameters.between_groups : 0.0;
  const double common = std::sqrt(between);
  const double own = std::sqrt(1.0 - between);
  Popularity result;
  double mean_sigma = 0.0;
  for (std::int64_t layer = 0; layer < shape.moe_layers; ++layer) {
    const double last = static_cast<double>(std::max<std::int64_t>(shape.moe_layers - 1, 1));
    const double sigma = sigma_at(parameters, static_cast<double>(layer) / last);
    mean_sigma += sigma / static_cast<double>(shape.moe_layers);
    RandomStream stream(seed, "expert popularity", static_cast<std::uint64_t>(layer));
    std::vector<double> of_group(groups);
    std::vector<double> of_expert(experts);
    for (double& z : of_group) z = stream.normal();
    for (double& z : of_expert) z = stream.normal();
    if (groups > 1) {
      standardise(of_group);
      for (std::size_t g = 0; g < groups; ++g) {  // Mean 0 in each group, then variance 1 over all.
        const auto members = std::span(of_expert).subspan(g * size, size);
        double mean = 0.0;
        for (const double z : members) mean += z / static_cast<double>(size);
        for (double& z : members) z -= mean;
      }
    }
    standardise(of_expert);
    const std::size_t begin = result.share.size();
    for (std::size_t e = 0; e < experts; ++e) {
      const double z = common * of_group[e / size] + own * of_expert[e];
      result.share.push_back(math::exp(sigma * z));
    }
    normalise(std::span(result.share).subspan(begin));
  }
  result.source = "lognormal sigma " + format_number(mean_sigma);
  return result;
}

std::variant<Popularity, std::vector<std::string>> recorded(
    const RoutingShape& shape, std::span<const std::vector<double>> rows, std::string source) {
  const auto layers = static_cast<std::size_t>(shape.moe_layers);
  std::size_t first = 0;
  while (rows.size() - first > layers &&
         std::all_of(rows[first].begin(), rows[first].end(), [](double v) { return v == 0.0; })) {
    ++first;
  }
  std::vector<std::string> errors;
  if (rows.size() - first != layers) {
    errors.push_back("has " + std::to_string(rows.size() - first) +
                     " rows of load, the model has " + std::to_string(layers) + " MoE layers");
    return errors;
  }
  Popularity result{.source = "recorded " + std::move(source), .share = {}};
  for (std::size_t row = first; row < rows.size(); ++row) {
    add_row(shape, rows[row], row, result.share, errors);
  }
  if (!errors.empty()) return errors;
  return result;
}

Popularity drifted(const RoutingShape& shape, const Popularity& popularity, double s,
                   std::uint64_t seed) {
  MOESIM_CHECK(std::ssize(popularity.share) == shape.moe_layers * shape.experts,
               "a popularity has one share per layer and expert");
  Popularity result = popularity;
  const auto experts = static_cast<std::size_t>(shape.experts);
  for (std::int64_t layer = 0; layer < shape.moe_layers; ++layer) {
    RandomStream stream(seed, "expert drift", static_cast<std::uint64_t>(layer));
    const auto row =
        std::span(result.share).subspan(static_cast<std::size_t>(layer) * experts, experts);
    for (double& share : row) share *= math::exp(s * stream.normal());
    normalise(row);
  }
  result.source += ", drifted by " + format_number(s);
  return result;
}

std::span<const PopularityPreset> popularity_presets() { return kPopularityPresets; }

std::optional<PopularityPreset> find_popularity_preset(std::string_view name) {
  const auto* found = std::find_if(kPopularityPresets.begin(), kPopularityPresets.end(),
                                   [&](const PopularityPreset& p) { return p.name == name; });
  if (found == kPopularityPresets.end()) return std::nullopt;
  return *found;
}

}  // namespace moesim::routing
