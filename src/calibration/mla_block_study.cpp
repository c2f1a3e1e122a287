#include "calibration/mla_block_study.h"

#include <array>
#include <optional>

#include "calibration/mla_study.h"
#include "operators/kernel_format.h"
#include "operators/mla_block_curve.h"

namespace moesim::calibration {
namespace {

constexpr std::array<std::string_view, 2> kFolders{"mla_module_decode", "mla_module_prefill"};
constexpr std::array<std::string_view, 1> kLabels{"MLA block"};

}  // namespace

std::span<const std::string_view> MlaBlockStudy::folders() const { return kFolders; }
std::span<const std::string_view> MlaBlockStudy::labels() const { return kLabels; }

void MlaBlockStudy::read(const CsvTable& table, const TableOrigin& origin) {
  const bool decode = origin.folder == kFolders[0];
  const Column weights = table.column("gemm_dtype");
  const Column cache = table.column("kv_dtype");
  const Column heads = table.column("heads");
  const Column batch = table.column("batch");
  const Column length = table.column(decode ? "kv_len" : "isl");
  const Column us = table.column("us");
  for (std::size_t r = 0; r < table.rows(); ++r) {
    for (const Column dtype : {weights, cache}) {
      if (!operators::kernel_format(table.text(r, dtype))) {
        table.fail(r, dtype, "there is no number format of that name");
      }
    }
    Row row{.heads = table.whole(r, heads, 1)};
    const std::int64_t sequences = table.whole(r, batch, 1);
    const std::int64_t tokens = table.whole(r, length, 1);
    if (decode) {
      row.decode = {.sequences = sequences, .context_tokens = sequences * tokens};
    } else {
      row.prefill = whole_prompts(sequences, tokens);
    }
    rows_.push_back(row);
    add({.curve = curve_index(origin, table.text(r, weights), origin.engine, table.text(r, cache)),
         .group = group_hash({row.heads, sequences}),
         .family = group_hash({row.heads}),
         .measured = table.positive(r, us) * 1e-6});
  }
}

void MlaBlockStudy::predict(std::span<const std::int32_t> samples,
                            std::span<const double> coefficients,
                            std::span<double> predicted) const {
  std::optional<operators::MlaBlockCurve> curve;
  std::int64_t heads = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto sample = static_cast<std::size_t>(samples[i]);
    const Row& row = rows_[sample];
    if (!curve || row.heads != heads) {
      const std::int32_t index = this->samples()[sample].curve;
      const catalog::CurveKey& key = curves()[static_cast<std::size_t>(index)];
      heads = row.heads;
      curve.emplace(gpu_of(index), *operators::kernel_format(key.dtype),
                    *operators::kernel_format(key.variant), measured_mla(heads), coefficients);
    }
    const operators::OperatorTime time =
        row.decode.sequences > 0 ? curve->decode(row.decode) : curve->prefill(row.prefill);
    predicted[i] = time.time / kSecond;
  }
}

}  // namespace moesim::calibration
