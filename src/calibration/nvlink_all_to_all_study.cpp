#include "calibration/nvlink_all_to_all_study.h"

#include <fmt/format.h>

#include <array>
#include <string>

#include "calibration/uniform_copies.h"
#include "operators/kernel_format.h"

namespace moesim::calibration {
namespace {

constexpr std::array<std::string_view, 1> kFolders{"nvlink_alltoall"};
constexpr std::array<std::string_view, 1> kLabels{"NVLink all-to-all"};
constexpr std::array<std::string_view, 4> kPhases{"prepare", "dispatch", "combine",
                                                  "combine_low_precision"};
constexpr std::array<std::string_view, 2> kKernels{"NVLinkOneSided", "NVLinkTwoSided"};

template <std::size_t N>
std::size_t place_of(const std::array<std::string_view, N>& names, const CsvTable& table,
                     std::size_t row, Column column) {
  for (std::size_t i = 0; i < N; ++i) {
    if (table.text(row, column) == names[i]) return i;
  }
  std::string known;
  for (const std::string_view name : names) known += fmt::format(" {}", name);
  table.fail(row, column, "not a known name", "use one of" + known);
}

Bytes copy_of(std::size_t phase, std::int64_t hidden, std::int64_t top_k, double element) {
  const auto h = static_cast<double>(hidden);
  const auto k = static_cast<double>(top_k);
  const std::array<double, 4> elements{0.0, element, 2.0, 1.0 + 1.0 / 32.0};
  // Each pick comes with its expert and weight; prepare moves nothing else.
  return (h * elements[phase] + 8.0 * k) * kByte;
}

}  // namespace

std::span<const std::string_view> NvlinkAllToAllStudy::folders() const { return kFolders; }
std::span<const std::string_view> NvlinkAllToAllStudy::labels() const { return kLabels; }

void NvlinkAllToAllStudy::read(const CsvTable& table, const TableOrigin& origin) {
  const Column phases = table.column("phase");
  const Column kernels = table.column("kernel");
  const Column dtypes = table.column("dtype");
  const Column hiddens = table.column("hidden");
  const Column picks = table.column("topk");
  const Column experts = table.column("experts");
  const Column ranks = table.column("ep");
  const Column tokens_per_rank = table.column("tokens_per_rank");
  const Column us = table.column("us");
  for (std::size_t r = 0; r < table.rows(); ++r) {
    const std::size_t phase = place_of(kPhases, table, r, phases);
    const std::size_t kernel = place_of(kKernels, table, r, kernels);
    const auto format = operators::kernel_format(table.text(r, dtypes));
    if (!format) table.fail(r, dtypes, "there is no number format of that name");
    const std::int64_t hidden = table.whole(r, hiddens, 1);
    const std::int64_t top_k = table.whole(r, picks, 1);
    const std::int64_t ep = table.whole(r, ranks, 1);
    const auto tokens = static_cast<double>(table.whole(r, tokens_per_rank, 1));
    const Bytes copy = copy_of(phase, hidden, top_k, format->activation_bytes);
    const Copies copies = dealt_copies(ep, top_k);
    shapes_.push_back({.tokens = tokens,
                       .top_k = top_k,
                       .ranks = ep,
                       .copy = copy,
                       .link = tokens * copies.scale_up * copy / origin.gpu->scale_up_bandwidth});
    const std::string variant =
        fmt::format("{}_{}", kPhases[phase], kernel == 0 ? "one_sided" : "two_sided");
    add({.curve = curve_index(origin, "", origin.engine, variant),
         .label = 0,
         .group = group_hash({static_cast<std::int64_t>(format->activation_bytes * 1e4), hidden,
                              top_k, table.whole(r, experts, 1), ep}),
         .family = group_hash({ep}),
         .measured = table.positive(r, us) * 1e-6});
  }
}

void NvlinkAllToAllStudy::predict(std::span<const std::int32_t> samples,
                                  std::span<const double> coefficients,
                                  std::span<double> predicted) const {
  if (samples.empty()) return;
  const std::int32_t index = this->samples()[static_cast<std::size_t>(samples.front())].curve;
  const operators::NvlinkAllToAllCurve curve(gpu_of(index).memory_bandwidth, coefficients);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    predicted[i] = curve.time(shapes_[static_cast<std::size_t>(samples[i])]) / kSecond;
  }
}

}  // namespace moesim::calibration
