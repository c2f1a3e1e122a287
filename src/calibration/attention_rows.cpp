#include "calibration/attention_rows.h"

#include <optional>

#include "operators/kernel_format.h"

namespace moesim::calibration {
namespace {

operators::KernelFormat format_of(const CsvTable& table, std::size_t row, Column column) {
  const std::string_view name = table.text(row, column);
  // The only formats attention kernels compute and cache in.
  if (name != "bf16" && name != "fp8") {
    table.fail(row, column, "attention has no number format of that name", "use bf16 or fp8");
  }
  const std::optional<operators::KernelFormat> format = operators::kernel_format(name);
  if (!format) table.fail(row, column, "there is no number format of that name");
  return *format;
}

}  // namespace

bool same_kernel(const AttentionRow& a, const AttentionRow& b) {
  return a.heads.heads == b.heads.heads && a.heads.kv_heads == b.heads.kv_heads &&
         a.heads.head_dim == b.heads.head_dim && a.heads.window == b.heads.window &&
         a.kv_element == b.kv_element && a.math == b.math;
}

AttentionTable::AttentionTable(const CsvTable& table, std::string_view length)
    : table_(table),
      dtype_(table.column("dtype")),
      kv_dtype_(table.column("kv_dtype")),
      heads_(table.column("heads")),
      kv_heads_(table.column("kv_heads")),
      head_dim_(table.column("head_dim")),
      window_(table.column("win")),
      batch_(table.column("batch")),
      length_(table.column(length)),
      us_(table.column("us")) {}

AttentionRow AttentionTable::row(std::size_t r) const {
  AttentionRow row;
  row.math = format_of(table_, r, dtype_).math;
  row.kv_element = format_of(table_, r, kv_dtype_).weight_bytes * kByte;
  row.heads.heads = table_.whole(r, heads_, 1);
  row.heads.kv_heads = table_.whole(r, kv_heads_);
  if (row.heads.kv_heads == 0) row.heads.kv_heads = row.heads.heads;
  row.heads.head_dim = table_.whole(r, head_dim_, 1);
  row.heads.v_head_dim = row.heads.head_dim;
  row.heads.window = table_.whole(r, window_);
  row.batch = table_.whole(r, batch_, 1);
  row.length = table_.whole(r, length_, 1);
  return row;
}

std::uint64_t AttentionTable::group(const AttentionRow& row) {
  return group_hash({row.heads.heads, row.heads.kv_heads, row.heads.head_dim, row.heads.window});
}

}  // namespace moesim::calibration
