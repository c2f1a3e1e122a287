#include "calibration/expert_rank_study.h"

#include <array>
#include <cmath>

#include "calibration/expert_columns.h"

namespace moesim::calibration {
namespace {

constexpr std::array<std::string_view, 1> kFolders{"moe_ep_rank"};
constexpr std::array<std::string_view, 1> kLabels{"wide-EP rank"};

/// Columns of this folder alone.
struct RankColumns {
  explicit RankColumns(const CsvTable& table)
      : slots(table.column("slots")), eplb(table.column("eplb")) {}

  void fill(const CsvTable& table, std::size_t row, LoadDrawSpec& spec) const {
    spec.slots = table.whole(row, slots, 1, kMostTableExperts);
    spec.rest = RestOrder::ByIndex;
    const std::int64_t balanced = table.whole(row, eplb);
    if (balanced > 1) table.fail(row, eplb, "neither 0 nor 1");
    spec.rebalanced = balanced == 1;
    if (spec.slots % spec.ranks != 0 || spec.slots < spec.experts) {
      table.fail(row, slots, "the slots do not hold all experts in equal parts on the ranks",
                 "give a multiple of ep, at least the number of experts");
    }
    if (!spec.rebalanced && spec.slots != spec.experts) {
      table.fail(row, slots, "spare slots, but no load balancing that fills them",
                 "give as many slots as experts, or eplb 1");
    }
  }

  Column slots, eplb;
};

}  // namespace

std::span<const std::string_view> ExpertRankStudy::folders() const { return kFolders; }
std::span<const std::string_view> ExpertRankStudy::labels() const { return kLabels; }

const operators::ExpertWork& ExpertRankStudy::work_of(const LoadDrawSpec& spec) {
  const std::vector<HotRank>& ranks = draws_.of(spec);
  const auto [found, made] = works_.try_emplace(&ranks);
  operators::ExpertWork& mean = found->second;
  if (!made) return mean;
  for (const HotRank& rank : ranks) {
    for (const std::int32_t tokens : rank.tokens) mean.add_expert(tokens);
    mean.arrived += rank.distinct;
  }
  const double share = 1.0 / static_cast<double>(ranks.size());
  mean.pairs *= share;
  mean.experts_touched *= share;
  mean.arrived *= share;
  for (double& rows : mean.padded) rows *= share;
  mean.looked_through = static_cast<double>(spec.tokens);
  return mean;
}

void ExpertRankStudy::read(const CsvTable& table, const TableOrigin& origin) {
  const ExpertColumns columns(table);
  const RankColumns own(table);
  for (std::size_t r = 0; r < table.rows(); ++r) {
    const operators::KernelFormat format = columns.format(table, r);
    const operators::ExpertShape shape = columns.shape(table, r);
    LoadDrawSpec spec = columns.load(table, r);
    own.fill(table, r, spec);
    const std::int32_t curve = curve_index(origin, format.dtype, origin.engine);
    rows_.push_back({.gpu = origin.gpu,
                     .format = format,
                     .block = {.hidden = shape.hidden,
                               .intermediate = shape.intermediate,
                               .matrices = shape.matrices,
                               .local_experts = spec.slots / spec.ranks,
                               .topk = spec.topk,
                               .computes_foreign = false,
                               .cold = false},
                     .work = work_of(spec)});
    const auto milli_exponent = static_cast<std::int64_t>(std::lround(spec.exponent * 1000.0));
    replication_.push_back(
        {.configuration = group_hash({curve, shape.hidden, shape.intermediate, spec.topk,
                                      spec.experts, spec.ranks, milli_exponent, spec.tokens}),
         .rebalanced = spec.rebalanced});
    add({.curve = curve,
         .label = 0,
         .group =
             group_hash({shape.hidden, shape.intermediate, spec.topk, spec.experts, spec.ranks}),
         .family = group_hash({shape.hidden, shape.intermediate, spec.topk, spec.experts}),
         .measured = table.positive(r, columns.us) * 1e-6});
  }
}

void ExpertRankStudy::predict(std::span<const std::int32_t> samples,
                              std::span<const double> coefficients,
                              std::span<double> predicted) const {
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const Row& row = rows_[static_cast<std::size_t>(samples[i])];
    const operators::ExpertCurve curve(*row.gpu, row.format, row.block, coefficients);
    predicted[i] = curve.time(row.work).time / kSecond;
  }
}

std::vector<Derived> ExpertRankStudy::derived(std::span<const double> predicted) const {
  return {replication_speedups(replication_, samples(), predicted)};
}

}  // namespace moesim::calibration
