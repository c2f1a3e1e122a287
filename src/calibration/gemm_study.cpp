#include "calibration/gemm_study.h"

#include <array>
#include <string>

#include "core/units.h"
#include "operators/gemm_curve.h"

namespace moesim::calibration {

using namespace moesim::literals;

std::span<const std::string_view> GemmStudy::folders() const {
  static constexpr std::array<std::string_view, 1> kFolders = {"gemm"};
  return kFolders;
}

std::span<const std::string_view> GemmStudy::labels() const {
  static constexpr std::array<std::string_view, 1> kLabels = {"GEMM"};
  return kLabels;
}

void GemmStudy::read(const CsvTable& table, const TableOrigin& origin) {
  const Column dtype = table.column("dtype");
  const Column m = table.column("m");
  const Column n = table.column("n");
  const Column k = table.column("k");
  const Column us = table.column("us");
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string_view name = table.text(row, dtype);
    const auto format = operators::kernel_format(name);
    if (!format) table.fail(row, dtype, "is no known number format", "e.g. bf16, fp8, nvfp4");
    const operators::GemmShape shape{
        .m = table.whole(row, m, 1), .n = table.whole(row, n, 1), .k = table.whole(row, k, 1)};
    const std::int32_t curve = curve_index(origin, name, origin.engine);
    if (static_cast<std::size_t>(curve) == formats_.size()) formats_.push_back(*format);
    shapes_.push_back(shape);
    add({.curve = curve,
         .label = 0,
         .group = group_hash({shape.n, shape.k}),
         .family = group_hash({shape.k}),
         .measured = table.positive(row, us) * (1.0_us / 1.0_s)});
  }
}

void GemmStudy::predict(std::span<const std::int32_t> rows, std::span<const double> coefficients,
                        std::span<double> predicted) const {
  if (rows.empty()) return;
  const auto curve = samples()[static_cast<std::size_t>(rows.front())].curve;
  const operators::GemmCurve timer(gpu_of(curve), formats_[static_cast<std::size_t>(curve)],
                                   coefficients);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    predicted[i] = timer.time(shapes_[static_cast<std::size_t>(rows[i])]).time / 1.0_s;
  }
}

}  // namespace moesim::calibration
