// Columns that every table of expert compute has, checked against each other.
// Layer: calibration.
#pragma once

#include <cstdint>

#include "calibration/csv_table.h"
#include "calibration/expert_load_draw.h"
#include "operators/grouped_gemm.h"
#include "operators/kernel_format.h"

namespace moesim::calibration {

/// More than any model has, and than any kernel was measured with: bounds on what a row makes the
/// reader draw.
constexpr std::int64_t kMostTableExperts = 8192;
constexpr std::int64_t kMostTableTokens = std::int64_t{1} << 22;

struct ExpertColumns {
  explicit ExpertColumns(const CsvTable& table);

  /// Throws InputError for a format that is not known.
  [[nodiscard]] operators::KernelFormat format(const CsvTable& table, std::size_t row) const;
  [[nodiscard]] operators::ExpertShape shape(const CsvTable& table, std::size_t row) const;
  /// Tokens, experts, choices, ranks and exponent. Throws InputError where they do not fit.
  [[nodiscard]] LoadDrawSpec load(const CsvTable& table, std::size_t row) const;

  Column dtype, hidden, inter, topk, experts, ep, alpha, tokens, us;
};

}  // namespace moesim::calibration
