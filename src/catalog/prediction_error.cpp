#include "catalog/prediction_error.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

namespace moesim::catalog {
namespace {

constexpr std::int64_t kLeastRows = 8;
constexpr std::int64_t kLeastFamilies = 2;

/// Which parts of a situation a group shares.
struct Closeness {
  bool engine;
  bool kind;
  bool extent;
};
constexpr Closeness kGroups[] = {{true, true, true},
                                 {true, true, false},
                                 {false, true, true},
                                 {false, true, false},
                                 {false, false, false}};

bool is_close(const Situation& a, const Situation& b, Closeness c) {
  return (!c.engine || a.engine == b.engine) && (!c.kind || a.moe == b.moe) &&
         (!c.extent || a.many_nodes == b.many_nodes);
}

std::string name_of(const Situation& s, Closeness c) {
  std::string name = "all models";
  if (c.kind) name = s.moe ? "MoE models" : "dense models";
  if (c.extent) name += s.many_nodes ? " over nodes" : " on one node";
  if (c.engine) name += " with " + s.engine;
  return name;
}

using Weighted = std::vector<std::pair<double, double>>;

/// The least ratio up to which at least `share` of the weight lies. Precondition: sorted.
double quantile(const Weighted& ratios, double share) {
  double all = 0;
  for (const auto& [ratio, weight] : ratios) all += weight;
  double sum = 0;
  constexpr double kRounding = 1e-9;
  for (const auto& [ratio, weight] : ratios) {
    sum += weight;
    if (sum >= share * all * (1.0 - kRounding)) return ratio;
  }
  return ratios.back().first;
}

const ErrorBand& band_of(const EngineOverhead& overhead, Figure figure) {
  switch (figure) {
    case Figure::Ttft:
      return overhead.ttft;
    case Figure::Tpot:
      return overhead.tpot;
    default:
      return overhead.throughput;
  }
}

std::optional<Likely> closest(const std::vector<ScoredFigure>& scored, Figure figure,
                              const Situation& situation, std::string_view without) {
  for (const Closeness& closeness : kGroups) {
    std::map<std::string_view, std::vector<double>> families;
    Likely likely;
    for (const ScoredFigure& row : scored) {
      if (row.figure != figure || row.family() == without ||
          !is_close(row.situation, situation, closeness)) {
        continue;
      }
      families[row.family()].push_back(row.ratio);
      ++likely.rows;
    }
    likely.families = static_cast<std::int64_t>(families.size());
    if (likely.rows < kLeastRows || likely.families < kLeastFamilies) continue;
    Weighted ratios;
    for (const auto& [family, own] : families) {
      for (const double ratio : own) {
        ratios.emplace_back(ratio, 1.0 / static_cast<double>(own.size()));
      }
    }
    std::sort(ratios.begin(), ratios.end());
    constexpr double kTail = (1.0 - kLikelyShare) / 2.0;
    likely.low = quantile(ratios, kTail);
    likely.high = quantile(ratios, 1.0 - kTail);
    likely.group = name_of(situation, closeness);
    return likely;
  }
  return std::nullopt;
}

std::optional<Likely> with_fit(std::optional<Likely> likely,
                               const std::vector<EngineOverhead>& overheads, Figure figure,
                               const Situation& situation) {
  const EngineOverhead* overhead =
      find_overhead(overheads, situation.engine, situation.architecture);
  if (overhead == nullptr || overhead->rows == 0) return likely;
  const ErrorBand& band = band_of(*overhead, figure);
  if (!likely) likely = Likely{.low = band.low, .high = band.high, .group = {}};
  likely->low = std::min(likely->low, band.low);
  likely->high = std::max(likely->high, band.high);
  likely->fit_rows = overhead->rows;
  return likely;
}

}  // namespace

std::string_view ScoredFigure::family() const {
  return std::string_view(row).substr(0, row.rfind('-'));
}

std::optional<Likely> likely_ratio(const std::vector<ScoredFigure>& scored,
                                   const std::vector<EngineOverhead>& overheads, Figure figure,
                                   const Situation& situation) {
  return with_fit(closest(scored, figure, situation, {}), overheads, figure, situation);
}

std::optional<double> coverage(const std::vector<ScoredFigure>& scored,
                               const std::vector<EngineOverhead>& overheads, Figure figure) {
  std::int64_t rows = 0;
  std::int64_t inside = 0;
  for (const ScoredFigure& row : scored) {
    if (row.figure != figure) continue;
    ++rows;
    const auto likely = with_fit(closest(scored, figure, row.situation, row.family()), overheads,
                                 figure, row.situation);
    if (likely && likely->low <= row.ratio && row.ratio <= likely->high) ++inside;
  }
  if (rows == 0) return std::nullopt;
  return static_cast<double>(inside) / static_cast<double>(rows);
}

}  // namespace moesim::catalog
