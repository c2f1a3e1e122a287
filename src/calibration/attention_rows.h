// Rows of the tables attention_prefill and attention_decode: heads, batch and length.
//
// Layer: calibration.
#pragma once

#include <cstdint>
#include <string_view>

#include "calibration/csv_table.h"
#include "calibration/study.h"
#include "catalog/precision.h"
#include "operators/attention_batch.h"

namespace moesim::calibration {

/// One timed batch of equal sequences.
struct AttentionRow {
  operators::AttentionHeads heads;
  std::int64_t batch = 0;
  std::int64_t length = 0;  ///< New tokens (prefill), cached tokens (decode).
  Bytes kv_element;
  catalog::MathFormat math = catalog::MathFormat::Bf16;
};

/// True if both run the same kernel on the same heads, so that one curve object serves both.
[[nodiscard]] bool same_kernel(const AttentionRow& a, const AttentionRow& b);

class AttentionTable {
 public:
  /// `length`: name of the column. Throws InputError for a missing column.
  AttentionTable(const CsvTable& table, std::string_view length);
  /// Throws InputError for a number out of range or a number format the curves do not know.
  [[nodiscard]] AttentionRow row(std::size_t r) const;
  [[nodiscard]] std::string_view dtype(std::size_t r) const { return table_.text(r, dtype_); }
  [[nodiscard]] std::string_view kv_dtype(std::size_t r) const { return table_.text(r, kv_dtype_); }
  [[nodiscard]] double seconds(std::size_t r) const { return table_.positive(r, us_) * 1e-6; }
  /// Everything but batch and length.
  [[nodiscard]] static std::uint64_t group(const AttentionRow& row);

 private:
  const CsvTable& table_;
  Column dtype_;
  Column kv_dtype_;
  Column heads_;
  Column kv_heads_;
  Column head_dim_;
  Column window_;
  Column batch_;
  Column length_;
  Column us_;
};

}  // namespace moesim::calibration
