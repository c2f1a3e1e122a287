#include "calibration/moe_study.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>

#include "calibration/expert_columns.h"
#include "core/check.h"
#include "core/units.h"

namespace moesim::calibration {

using namespace moesim::literals;

/// One line of a table, and how its benchmark spread the load.
struct MoeStudy::Row {
  std::int64_t hidden = 0, intermediate = 0, topk = 0, experts = 0, tp = 0, ep = 0, tokens = 0;
  std::int64_t matrices = 0;
  std::string_view kernel;
  bool group_limited = false;  ///< In balanced cells.
  bool same_experts = false;   ///< All tokens choose the first topk experts.
  bool computes_foreign = false;

  /// What the tables show about how they were measured: docs/models/expert_gemm.md, "Loads".
  void apply_benchmark_rules(const TableOrigin& origin) {
    const bool older = origin.gpu->architecture == "Ampere";
    const bool low_latency = kernel == "minlat";
    const bool sglang = origin.engine == "sglang";
    constexpr std::int64_t kFewExperts = 8;
    same_experts = low_latency && experts == kFewExperts;
    if (same_experts) ep = 1;
    constexpr std::int64_t kGroupedTopk = 8;
    const bool grouped_model =
        hidden == 7168 && intermediate == 2048 && topk == kGroupedTopk && experts == 256;
    group_limited = (low_latency && topk == kGroupedTopk) || (sglang && !older && grouped_model);
    computes_foreign = sglang && (kernel == "triton" || kernel == "marlin") &&
                       (older || experts == kFewExperts || hidden == 2816);
  }
};

/// Places of the columns of one table.
struct MoeStudy::Reader {
  const CsvTable& table;
  Column dtype = table.column("dtype"), gemms = table.column("gemms");
  Column kernel = table.column("kernel");
  Column hidden = table.column("hidden"), inter = table.column("inter");
  Column topk = table.column("topk"), experts = table.column("experts");
  Column tp = table.column("tp"), ep = table.column("ep"), tokens = table.column("tokens");

  [[nodiscard]] Row row(std::size_t line, const TableOrigin& origin) const {
    Row row{.hidden = table.whole(line, hidden, 1),
            .intermediate = table.whole(line, inter, 1),
            .topk = table.whole(line, topk, 1),
            .experts = table.whole(line, experts, 1),
            .tp = table.whole(line, tp, 1),
            .ep = table.whole(line, ep, 1),
            .tokens = table.whole(line, tokens, 1),
            .matrices = table.whole(line, gemms, 2),
            .kernel = table.text(line, kernel)};
    constexpr std::int64_t kMostMatrices = 3;
    if (row.matrices > kMostMatrices) table.fail(line, gemms, "is neither 2 nor 3");
    if (row.experts > kMostTableExperts) {
      table.fail(line, experts, "is more than any model has",
                 fmt::format("give at most {}", kMostTableExperts));
    }
    if (row.topk > row.experts) table.fail(line, topk, "is more than there are experts");
    if (row.tokens > kMostTableTokens) {
      table.fail(line, tokens, "is more than one kernel serves",
                 fmt::format("give at most {}", kMostTableTokens));
    }
    if (row.experts % row.ep != 0) table.fail(line, ep, "does not divide the experts");
    if (row.intermediate % row.tp != 0) table.fail(line, tp, "does not divide inter");
    row.apply_benchmark_rules(origin);
    constexpr std::int64_t kGroups = 8;
    if (row.group_limited && !row.same_experts &&
        (row.experts % kGroups != 0 || 2 * row.topk > row.experts)) {
      table.fail(line, experts, "does not make eight groups of experts, four of which can serve",
                 "this kernel was measured with multiples of 8, at least twice topk");
    }
    return row;
  }
};

std::vector<std::int32_t> group_limited_load(std::int64_t tokens, std::int64_t experts,
                                             std::int64_t topk) {
  const std::int64_t half = experts / 2;
  MOESIM_CHECK(experts % 8 == 0 && topk <= half, "eight groups, and four of them can serve");
  const std::int64_t stride = (experts + topk - 1) / topk;
  std::vector<std::int32_t> load(static_cast<std::size_t>(experts), 0);
  std::vector<std::int64_t> chosen;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const std::int64_t first = tokens < stride ? t * stride / tokens : t;
    chosen.clear();
    for (std::int64_t j = 0; j < topk; ++j) {
      const std::int64_t expert = (first + j * stride) % experts;
      if (expert < half) chosen.push_back(expert);
    }
    for (std::int64_t e = 0; static_cast<std::int64_t>(chosen.size()) < topk; ++e) {
      if (std::find(chosen.begin(), chosen.end(), e) == chosen.end()) chosen.push_back(e);
    }
    for (const std::int64_t e : chosen) ++load[static_cast<std::size_t>(e)];
  }
  return load;
}

std::span<const std::string_view> MoeStudy::folders() const {
  static constexpr std::array<std::string_view, 1> kFolders = {"moe"};
  return kFolders;
}

std::span<const std::string_view> MoeStudy::labels() const {
  static constexpr std::array<std::string_view, 2> kLabels = {"MoE balanced", "MoE skewed"};
  return kLabels;
}

std::int32_t MoeStudy::work_of(const Row& row, double exponent) {
  constexpr double kThousandths = 1000.0;
  const bool grouped = row.group_limited && exponent <= 0.0;
  const LoadKey key{row.tokens,
                    row.experts,
                    row.topk,
                    row.ep,
                    static_cast<int>(std::lround(exponent * kThousandths)),
                    grouped};
  const auto [known, added] = known_.emplace(key, static_cast<std::int32_t>(works_.size()));
  if (!added) return known->second;
  const LoadDrawSpec spec{.tokens = row.tokens,
                          .experts = row.experts,
                          .topk = row.topk,
                          .ranks = row.ep,
                          .exponent = exponent};
  operators::ExpertWork sum;
  double draws = 0;
  const auto add = [&](const HotRank& rank) {
    for (const std::int32_t tokens : rank.tokens) sum.add_expert(tokens);
    sum.arrived += static_cast<double>(rank.distinct);
    draws += 1.0;
  };
  if (row.same_experts) {
    std::vector<std::int32_t> load(static_cast<std::size_t>(row.experts), 0);
    std::fill_n(load.begin(), row.topk, static_cast<std::int32_t>(row.tokens));
    add(hot_rank(load, spec));
  } else if (grouped) {
    add(hot_rank(group_limited_load(row.tokens, row.experts, row.topk), spec));
  } else {
    for (const HotRank& rank : draws_.of(spec)) add(rank);
  }
  sum.pairs /= draws;
  sum.experts_touched /= draws;
  sum.arrived /= draws;
  for (double& rows : sum.padded) rows /= draws;
  sum.looked_through = static_cast<double>(row.tokens);
  works_.push_back(sum);
  return known->second;
}

void MoeStudy::read(const CsvTable& table, const TableOrigin& origin) {
  const Reader reader{.table = table};
  struct Cell {
    Column column;
    double exponent;
    std::int32_t label;
  };
  const std::array<Cell, 3> cells = {{{table.column("us_bal"), 0.0, 0},
                                      {table.column("us_pl101"), 1.01, 1},
                                      {table.column("us_pl120"), 1.2, 1}}};
  for (std::size_t line = 0; line < table.rows(); ++line) {
    const std::int64_t ep = table.whole(line, reader.ep, 1);
    const Row row = reader.row(line, origin);
    const std::string_view dtype = table.text(line, reader.dtype);
    const auto format = operators::kernel_format(dtype);
    if (!format) table.fail(line, reader.dtype, "is no known number format", "e.g. bf16, nvfp4");
    const std::int32_t curve = curve_index(origin, dtype, origin.engine, row.kernel);
    if (static_cast<std::size_t>(curve) == formats_.size()) formats_.push_back(*format);
    blocks_.push_back({.hidden = row.hidden,
                       .intermediate = row.intermediate / row.tp,
                       .matrices = row.matrices,
                       .local_experts = row.experts / row.ep,
                       .topk = row.topk,
                       .computes_foreign = row.computes_foreign,
                       .cold = false});
    for (const Cell& cell : cells) {
      const std::optional<double> us = table.positive_or_empty(line, cell.column);
      if (!us) continue;
      block_of_.push_back(static_cast<std::int32_t>(blocks_.size() - 1));
      work_of_.push_back(work_of(row, cell.exponent));
      add({.curve = curve,
           .label = cell.label,
           .group = group_hash({row.hidden, row.intermediate, row.topk, row.experts, row.tp, ep}),
           .family = group_hash({row.hidden, row.intermediate, row.topk, row.experts}),
           .measured = *us * (1.0_us / 1.0_s)});
    }
  }
}

void MoeStudy::predict(std::span<const std::int32_t> rows, std::span<const double> coefficients,
                       std::span<double> predicted) const {
  if (rows.empty()) return;
  const auto curve = samples()[static_cast<std::size_t>(rows.front())].curve;
  const catalog::Gpu& gpu = gpu_of(curve);
  const operators::KernelFormat& format = formats_[static_cast<std::size_t>(curve)];
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<std::size_t>(rows[i]);
    const operators::ExpertCurve timer(
        gpu, format, blocks_[static_cast<std::size_t>(block_of_[row])], coefficients);
    predicted[i] = timer.time(works_[static_cast<std::size_t>(work_of_[row])]).time / 1.0_s;
  }
}

}  // namespace moesim::calibration
