#include "calibration/batched_gemm_study.h"

#include <array>
#include <string>

#include "core/units.h"

namespace moesim::calibration {

using namespace moesim::literals;

namespace {
/// Widths of DeepSeek-V3 per head: query and key without rotary part, and the latent.
constexpr std::int64_t kHeadWidth = 128;
constexpr std::int64_t kLatent = 512;
}  // namespace

std::span<const std::string_view> BatchedGemmStudy::folders() const {
  static constexpr std::array<std::string_view, 1> kFolders = {"mla_bmm"};
  return kFolders;
}

std::span<const std::string_view> BatchedGemmStudy::labels() const {
  static constexpr std::array<std::string_view, 1> kLabels = {"MLA batched GEMM"};
  return kLabels;
}

void BatchedGemmStudy::read(const CsvTable& table, const TableOrigin& origin) {
  const Column dtype = table.column("dtype");
  const Column op = table.column("op");
  const Column tokens = table.column("tokens");
  const Column heads = table.column("heads");
  const Column us = table.column("us");
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string_view name = table.text(row, dtype);
    const auto format = operators::kernel_format(name);
    if (!format) table.fail(row, dtype, "is no known number format", "e.g. bf16, fp8");
    const bool queries = table.text(row, op) == "mla_gen_pre";
    if (!queries && table.text(row, op) != "mla_gen_post") {
      table.fail(row, op, "is no known operation", "mla_gen_pre or mla_gen_post");
    }
    const operators::BatchedGemmShape shape{.batch = table.whole(row, heads, 1),
                                            .m = table.whole(row, tokens, 1),
                                            .n = queries ? kLatent : kHeadWidth,
                                            .k = queries ? kHeadWidth : kLatent};
    const std::int32_t curve = curve_index(origin, name, origin.engine);
    if (static_cast<std::size_t>(curve) == formats_.size()) formats_.push_back(*format);
    shapes_.push_back(shape);
    add({.curve = curve,
         .label = 0,
         .group = group_hash({shape.k, shape.batch}),
         .family = group_hash({shape.batch}),
         .measured = table.positive(row, us) * (1.0_us / 1.0_s)});
  }
}

void BatchedGemmStudy::predict(std::span<const std::int32_t> rows,
                               std::span<const double> coefficients,
                               std::span<double> predicted) const {
  if (rows.empty()) return;
  const auto curve = samples()[static_cast<std::size_t>(rows.front())].curve;
  const operators::BatchedGemmCurve timer(gpu_of(curve), formats_[static_cast<std::size_t>(curve)],
                                          coefficients);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    predicted[i] = timer.time(shapes_[static_cast<std::size_t>(rows[i])]).time / 1.0_s;
  }
}

}  // namespace moesim::calibration
