#include "report/message_json.h"
#include "report/routing_report.h"
#include "routing.pb.h"

namespace moesim::report {
namespace {

void write(const routing::LayerStatistics& layer, proto::RoutingFigures& out) {
  out.set_layer(layer.layer);
  out.set_load_max_over_mean(rounded(layer.load.max_over_mean));
  out.set_load_cv(rounded(layer.load.cv));
  out.set_load_gini(rounded(layer.load.gini));
  out.set_load_sigma_ln(rounded(layer.load.sigma_ln));
  out.set_load_between_groups(rounded(layer.load.between_groups));
  out.set_unused_experts(rounded(layer.load.unused));
  if (layer.pairs) {
    out.set_pairs_top_share(rounded(layer.pairs->top_share));
    out.set_pairs_top_share_independent(rounded(layer.pairs->top_share_independent));
    out.set_pairs_total_variation(rounded(layer.pairs->total_variation));
  }
  if (layer.next) {
    out.set_next_layer_hit_rate(rounded(layer.next->hit_rate));
    out.set_next_layer_hit_rate_chance(rounded(layer.next->hit_rate_chance));
    out.set_next_layer_mutual_information_bits(rounded(layer.next->mutual_information_bits));
  }
  if (layer.adjacent) {
    out.set_adjacent_overlap(rounded(layer.adjacent->overlap));
    out.set_adjacent_overlap_independent(rounded(layer.adjacent->independent));
  }
}

}  // namespace

std::string routing_json(const std::vector<RoutingSource>& sources) {
  proto::RoutingStatistics message;
  for (const RoutingSource& source : sources) {
    proto::RoutingSource& out = *message.add_sources();
    out.set_name(source.name);
    out.set_kind(source.kind);
    out.set_description(source.description);
    out.set_experts(static_cast<std::int32_t>(source.experts));
    out.set_top_k(static_cast<std::int32_t>(source.top_k));
    out.set_groups(static_cast<std::int32_t>(source.groups));
    out.set_tokens(static_cast<double>(source.tokens));
    write(routing::mean_statistics(source.layers), *out.mutable_mean());
    for (const routing::LayerStatistics& layer : source.layers) write(layer, *out.add_layers());
    for (const routing::PublishedFigure& p : source.published) {
      proto::PublishedRoutingFigure& figure = *out.add_published();
      figure.set_figure(std::string(p.figure));
      figure.set_lowest(p.lowest);
      figure.set_highest(p.highest);
      figure.set_source(std::string(p.source));
    }
  }
  return message_json(message);
}

}  // namespace moesim::report
