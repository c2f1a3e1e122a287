#include "report/routing_figures.h"

namespace moesim::report {
namespace {

using routing::LayerStatistics;
using Value = std::optional<double>;

template <auto Field>
Value of_load(const LayerStatistics& layer) {
  return layer.load.*Field;
}

/// Nothing where the model's groups are not known, or it has none.
Value of_groups(const LayerStatistics& layer) {
  if (layer.load.between_groups == 0.0) return std::nullopt;
  return layer.load.between_groups;
}

template <auto Part, auto Field>
Value of_part(const LayerStatistics& layer) {
  const auto& part = layer.*Part;
  if (!part) return std::nullopt;
  return (*part).*Field;
}

}  // namespace

const std::vector<RoutingFigure>& routing_figures() {
  using L = LayerStatistics;
  using Load = routing::LoadSkew;
  using Pairs = routing::PairStatistics;
  using Next = routing::NextLayerStatistics;
  using Adjacent = routing::AdjacentOverlap;
  static const std::vector<RoutingFigure> figures = {
      {"load_max_over_mean", "load: busiest expert over mean", "peak",
       of_load<&Load::max_over_mean>},
      {"load_cv", "load: coefficient of variation", "CV", of_load<&Load::cv>},
      {"load_gini", "load: Gini coefficient", "Gini", of_load<&Load::gini>},
      {"load_sigma_ln", "load: deviation of ln load", "sigma", of_load<&Load::sigma_ln>},
      {"load_between_groups", "load: variance between groups", "groups", of_groups},
      {"unused_experts", "load: experts never chosen", "unused", of_load<&Load::unused>},
      {"pairs_top_share", "pairs: mass of the top 5 %", "top 5 %",
       of_part<&L::pairs, &Pairs::top_share>},
      {"pairs_top_share_independent", "  if independent", "indep.",
       of_part<&L::pairs, &Pairs::top_share_independent>},
      {"pairs_total_variation", "pairs: total variation from independent", "TV",
       of_part<&L::pairs, &Pairs::total_variation>},
      {"next_layer_hit_rate", "next layer: experts predicted", "hit",
       of_part<&L::next, &Next::hit_rate>},
      {"next_layer_hit_rate_chance", "  by load alone", "by load",
       of_part<&L::next, &Next::hit_rate_chance>},
      {"next_layer_mutual_information_bits", "next layer: mutual information, bits", "bits",
       of_part<&L::next, &Next::mutual_information_bits>},
      {"adjacent_overlap", "adjacent tokens: experts shared", "overlap",
       of_part<&L::adjacent, &Adjacent::overlap>},
      {"adjacent_overlap_independent", "  if independent", "indep.",
       of_part<&L::adjacent, &Adjacent::independent>},
  };
  return figures;
}

}  // namespace moesim::report
