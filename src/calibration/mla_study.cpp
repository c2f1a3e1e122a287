#include "calibration/mla_study.h"

#include <array>
#include <optional>

#include "operators/kernel_format.h"
#include "operators/mla_decode_curve.h"
#include "operators/mla_prefill_curve.h"

namespace moesim::calibration {
namespace {

constexpr std::array<std::string_view, 1> kDecodeFolders{"mla_decode"};
constexpr std::array<std::string_view, 1> kDecodeLabels{"MLA decode kernel"};
constexpr std::array<std::string_view, 1> kPrefillFolders{"mla_prefill"};
constexpr std::array<std::string_view, 1> kPrefillLabels{"MLA prefill kernel"};

/// What the tables of both kernels have in common.
struct KernelRow {
  std::string_view cache;
  std::int64_t heads = 0;
  std::int64_t sequences = 0;
  std::int64_t length = 0;
  double seconds = 0;
};

std::vector<KernelRow> kernel_rows(const CsvTable& table, std::string_view length_name) {
  const Column cache = table.column("kv_dtype");
  const Column heads = table.column("heads");
  const Column batch = table.column("batch");
  const Column length = table.column(length_name);
  const Column us = table.column("us");
  std::vector<KernelRow> rows;
  for (std::size_t r = 0; r < table.rows(); ++r) {
    if (!operators::kernel_format(table.text(r, cache))) {
      table.fail(r, cache, "there is no number format of that name");
    }
    rows.push_back({.cache = table.text(r, cache),
                    .heads = table.whole(r, heads, 1),
                    .sequences = table.whole(r, batch, 1),
                    .length = table.whole(r, length, 1),
                    .seconds = table.positive(r, us) * 1e-6});
  }
  return rows;
}

/// Neighbouring rows mostly have as many heads: their curve is folded once.
template <typename Curve, typename Rows>
void predict_rows(const Study& study, const Rows& rows, std::span<const std::int32_t> samples,
                  std::span<const double> coefficients, std::span<double> predicted) {
  std::optional<Curve> curve;
  std::int64_t heads = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto sample = static_cast<std::size_t>(samples[i]);
    const auto& row = rows[sample];
    if (!curve || row.heads != heads) {
      const std::int32_t index = study.samples()[sample].curve;
      const std::string& dtype = study.curves()[static_cast<std::size_t>(index)].dtype;
      heads = row.heads;
      curve.emplace(study.gpu_of(index), *operators::kernel_format(dtype), measured_mla(heads),
                    coefficients);
    }
    predicted[i] = curve->time(row.batch).time / kSecond;
  }
}

}  // namespace

operators::MlaShape measured_mla(std::int64_t heads) {
  return {.hidden = 7168,
          .heads = heads,
          .q_lora_rank = 1536,
          .kv_lora_rank = 512,
          .qk_nope_dim = 128,
          .qk_rope_dim = 64,
          .v_head_dim = 128};
}

operators::MlaPrefillBatch whole_prompts(std::int64_t sequences, std::int64_t length) {
  const auto n = static_cast<double>(length);
  return {.sequences = sequences,
          .new_tokens = sequences * length,
          .context_tokens = sequences * length,
          .pairs = static_cast<double>(sequences) * n * (n + 1.0) / 2.0};
}

std::span<const std::string_view> MlaDecodeStudy::folders() const { return kDecodeFolders; }
std::span<const std::string_view> MlaDecodeStudy::labels() const { return kDecodeLabels; }

void MlaDecodeStudy::read(const CsvTable& table, const TableOrigin& origin) {
  for (const KernelRow& row : kernel_rows(table, "kv_len")) {
    rows_.push_back(
        {.heads = row.heads,
         .batch = {.sequences = row.sequences, .context_tokens = row.sequences * row.length}});
    add({.curve = curve_index(origin, row.cache, origin.engine),
         .group = group_hash({row.heads, row.sequences}),
         .family = group_hash({row.heads}),
         .measured = row.seconds});
  }
}

void MlaDecodeStudy::predict(std::span<const std::int32_t> samples,
                             std::span<const double> coefficients,
                             std::span<double> predicted) const {
  predict_rows<operators::MlaDecodeCurve>(*this, rows_, samples, coefficients, predicted);
}

std::span<const std::string_view> MlaPrefillStudy::folders() const { return kPrefillFolders; }
std::span<const std::string_view> MlaPrefillStudy::labels() const { return kPrefillLabels; }

void MlaPrefillStudy::read(const CsvTable& table, const TableOrigin& origin) {
  for (const KernelRow& row : kernel_rows(table, "isl")) {
    rows_.push_back({.heads = row.heads, .batch = whole_prompts(row.sequences, row.length)});
    add({.curve = curve_index(origin, row.cache, origin.engine),
         .group = group_hash({row.heads, row.sequences}),
         .family = group_hash({row.heads}),
         .measured = row.seconds});
  }
}

void MlaPrefillStudy::predict(std::span<const std::int32_t> samples,
                              std::span<const double> coefficients,
                              std::span<double> predicted) const {
  predict_rows<operators::MlaPrefillCurve>(*this, rows_, samples, coefficients, predicted);
}

}  // namespace moesim::calibration
