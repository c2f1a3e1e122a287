#include "calibration/deepep_experts_study.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "calibration/expert_columns.h"

namespace moesim::calibration {
namespace {

using operators::DeepEpExpertLoad;
using operators::ExpertLayout;

constexpr std::string_view kPrefill = "moe_ep_deepep_prefill";
constexpr std::array<std::string_view, 2> kFolders{kPrefill, "moe_ep_deepep_decode"};
constexpr std::array<std::string_view, 1> kLabels{"DeepEP expert compute"};

/// The rest of few tokens was dealt in index order where these tables were made: their first rows
/// take as long as all of it on one rank; those of the other GPUs as long as an even share.
RestOrder rest_order(const catalog::Gpu& gpu) {
  return gpu.name == "H200-SXM" || gpu.name == "B200" ? RestOrder::ByIndex : RestOrder::Spread;
}

/// A rank's pairs in whole blocks, as the balanced rows of the contiguous layout have them.
std::vector<std::int32_t> block_by_block(const LoadDrawSpec& spec) {
  constexpr std::int64_t kBlock = 128;
  const std::int64_t pairs = std::max<std::int64_t>(1, spec.tokens * spec.topk / spec.ranks);
  const std::int64_t local = spec.experts / spec.ranks;
  const std::int64_t used = std::min(local, (pairs + kBlock - 1) / kBlock);
  std::vector<std::int32_t> tokens(static_cast<std::size_t>(local), 0);
  for (std::int64_t e = 0; e < used; ++e) {
    tokens[static_cast<std::size_t>(e)] =
        static_cast<std::int32_t>(pairs / used + (e < pairs % used ? 1 : 0));
  }
  return tokens;
}

}  // namespace

std::span<const std::string_view> DeepEpExpertsStudy::folders() const { return kFolders; }
std::span<const std::string_view> DeepEpExpertsStudy::labels() const { return kLabels; }

void DeepEpExpertsStudy::read(const CsvTable& table, const TableOrigin& origin) {
  const ExpertColumns columns(table);
  const ExpertLayout layout =
      origin.folder == kPrefill ? ExpertLayout::Contiguous : ExpertLayout::Masked;
  const std::string_view variant = operators::DeepEpExpertCurve::variant(layout);
  for (std::size_t r = 0; r < table.rows(); ++r) {
    const operators::KernelFormat format = columns.format(table, r);
    const operators::ExpertShape shape = columns.shape(table, r);
    LoadDrawSpec spec = columns.load(table, r);
    spec.rest = rest_order(*origin.gpu);
    const std::size_t first = loads_.size();
    if (spec.exponent <= 0 && layout == ExpertLayout::Contiguous) {
      loads_.push_back(deepep_expert_load(block_by_block(spec), spec.tokens, layout));
    } else {
      for (const HotRank& rank : draws_.of(spec)) {
        loads_.push_back(deepep_expert_load(rank.tokens, spec.tokens, layout));
      }
    }
    rows_.push_back({.gpu = origin.gpu,
                     .shape = shape,
                     .format = format,
                     .first = first,
                     .draws = loads_.size() - first});
    const auto milli_exponent = static_cast<std::int64_t>(std::lround(spec.exponent * 1000.0));
    add({.curve = curve_index(origin, format.dtype, origin.engine, variant),
         .label = 0,
         .group = group_hash({shape.hidden, shape.intermediate, spec.topk, spec.experts, spec.ranks,
                              milli_exponent}),
         .family = group_hash({spec.ranks}),
         .measured = table.positive(r, columns.us) * 1e-6});
  }
}

void DeepEpExpertsStudy::predict(std::span<const std::int32_t> samples,
                                 std::span<const double> coefficients,
                                 std::span<double> predicted) const {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Row& row = rows_[static_cast<std::size_t>(samples[i])];
    const operators::DeepEpExpertCurve curve(*row.gpu, row.shape, row.format, coefficients);
    double sum = 0;
    for (std::size_t d = row.first; d < row.first + row.draws; ++d) {
      sum += curve.time(loads_[d]).time / kSecond;
    }
    predicted[i] = sum / static_cast<double>(row.draws);
  }
}

}  // namespace moesim::calibration
