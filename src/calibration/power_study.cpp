#include "calibration/power_study.h"

#include <array>
#include <string>

#include "core/units.h"
#include "operators/board_power.h"
#include "operators/kernel_format.h"

namespace moesim::calibration {

using namespace moesim::literals;

namespace {
constexpr double kOutputBytes = 2.0;
}  // namespace

std::span<const std::string_view> PowerStudy::folders() const {
  static constexpr std::array<std::string_view, 1> kFolders = {"power_gemm"};
  return kFolders;
}

std::span<const std::string_view> PowerStudy::labels() const {
  static constexpr std::array<std::string_view, 1> kLabels = {"board power (W)"};
  return kLabels;
}

void PowerStudy::read(const CsvTable& table, const TableOrigin& origin) {
  const Column dtype = table.column("dtype");
  const Column m_column = table.column("m");
  const Column n_column = table.column("n");
  const Column k_column = table.column("k");
  const Column us = table.column("us");
  const Column watt = table.column("watt");
  const catalog::Gpu& gpu = *origin.gpu;
  for (std::size_t row = 0; row < table.rows(); ++row) {
    const std::string_view name = table.text(row, dtype);
    const auto format = operators::kernel_format(name);
    if (!format) table.fail(row, dtype, "is no known number format", "e.g. bf16, fp8, nvfp4");
    if (!(gpu.tdp > Watts{})) {
      table.fail(row, watt, "belongs to a GPU whose power the catalog does not know",
                 "give the GPU a tdp");
    }
    const std::int64_t n_whole = table.whole(row, n_column, 1);
    const std::int64_t k_whole = table.whole(row, k_column, 1);
    const auto m = static_cast<double>(table.whole(row, m_column, 1));
    const auto n = static_cast<double>(n_whole);
    const auto k = static_cast<double>(k_whole);
    const Seconds time = table.positive(row, us) * 1.0_us;
    const Flops flops = 2.0 * m * n * k * kFlop;
    const Bytes bytes =
        (n * k * format->weight_bytes + m * k * format->activation_bytes + m * n * kOutputBytes) *
        kByte;
    utilisations_.push_back({.compute = flops / (time * gpu.peak(format->math)),
                             .memory = bytes / (time * gpu.memory_bandwidth)});
    add({.curve = curve_index(origin, name, origin.engine),
         .label = 0,
         .group = group_hash({n_whole, k_whole}),
         .family = group_hash({k_whole}),
         .measured = table.positive(row, watt)});
  }
}

void PowerStudy::predict(std::span<const std::int32_t> rows, std::span<const double> coefficients,
                         std::span<double> predicted) const {
  if (rows.empty()) return;
  const operators::BoardPower board(gpu_of(samples()[static_cast<std::size_t>(rows.front())].curve),
                                    coefficients);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Utilisation& busy = utilisations_[static_cast<std::size_t>(rows[i])];
    predicted[i] = board.power(busy.compute, busy.memory) / 1.0_W;
  }
}

}  // namespace moesim::calibration
