#include "validation/kernel_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "calibration/uniform_copies.h"
#include "operators/exchange_model.h"
#include "validation/row_names.h"

namespace moesim::validation {
namespace {

using operators::AllToAllKind;

/// What a row says of its exchange.
struct Exchange {
  std::int64_t nodes = 1;
  std::int64_t ranks_per_node = 8;
  double tokens = 0;
  operators::ExchangeShape shape;
};

std::optional<Exchange> exchange_of(const scenario::PublishedRow& row) {
  const auto hidden = number_behind(row.model, "hidden");
  const auto top_k = number_behind(row.model, "top-");
  const auto experts = number_before(row.model, "experts");
  auto tokens = number_before(row.note, "tokens per GPU");
  if (!tokens) tokens = number_behind(row.note, "batch:");
  if (!hidden || !top_k || !experts || !tokens || !row.gpus || !row.nodes) return std::nullopt;
  const bool whole = *row.nodes >= 1 && *row.gpus >= *row.nodes && *hidden >= 1 && *top_k >= 1 &&
                     *experts >= *top_k && *tokens >= 1 && std::fmod(*row.gpus, *row.nodes) == 0;
  constexpr double kMost = 1e6;
  if (!whole || *hidden > kMost || *experts > kMost || *row.gpus > kMost || *tokens > kMost) {
    return std::nullopt;
  }
  Exchange e{.nodes = std::llround(*row.nodes),
             .ranks_per_node = std::llround(*row.gpus / *row.nodes),
             .tokens = *tokens,
             .shape = {}};
  e.shape.hidden = std::llround(*hidden);
  e.shape.top_k = std::llround(*top_k);
  e.shape.experts = std::llround(*experts);
  if (const auto sms = number_before(row.note, "SMs")) {
    e.shape.communication_sms = std::max<std::int64_t>(1, std::llround(*sms));
  }
  return e;
}

double seconds_of_low_latency(const Exchange& e, const operators::LowLatencyCurves& curves,
                              bool combine, const catalog::Gpu& gpu) {
  const calibration::Copies copies =
      calibration::copies_per_pick({.nodes = e.nodes,
                                    .ranks_per_node = e.ranks_per_node,
                                    .experts = e.shape.experts,
                                    .top_k = e.shape.top_k});
  const Bytes moved = e.tokens * (combine ? operators::low_latency_combine_copy(e.shape.hidden)
                                          : operators::low_latency_dispatch_copy(e.shape.hidden));
  const operators::LowLatencyShape shape{
      .tokens = e.tokens,
      .hidden = e.shape.hidden,
      .experts = e.shape.experts,
      .nodes = e.nodes,
      .scale_up = copies.scale_up * moved / gpu.scale_up_bandwidth,
      .network = copies.network * moved / gpu.nic_bandwidth};
  return (combine ? curves.combine : curves.dispatch).time(shape) / kSecond;
}

/// Expected distinct parts that `picks` even picks fall on, of `parts`.
double distinct(double parts, double picks) {
  return parts * (1.0 - std::pow(1.0 - 1.0 / parts, picks));
}

struct Normal {
  double seconds = 0;
  double counted_bytes = 0;
};
Normal normal(const Exchange& e, const operators::NormalCurves& curves, bool combine,
              const catalog::Gpu& gpu) {
  constexpr std::int64_t kNodesOfToken = 4;
  const auto picks = static_cast<double>(e.shape.top_k);
  const auto groups = static_cast<double>(std::min(e.nodes, kNodesOfToken));
  const auto nodes = static_cast<double>(e.nodes);
  const auto local = static_cast<double>(e.ranks_per_node);
  const double to_nodes = distinct(groups, picks);
  const double to_ranks = distinct(groups * local, picks);
  const double network = to_nodes * (nodes - 1.0) / nodes;
  const double scale_up = to_ranks * (local - 1.0) / local;
  const Bytes copy = combine ? operators::normal_combine_copy(e.shape.hidden, e.shape.top_k)
                             : operators::normal_dispatch_copy(e.shape.hidden, e.shape.top_k);
  const operators::NormalExchangeShape shape{
      .tokens = e.tokens,
      .copies = e.tokens * scale_up,
      .copy = copy,
      .hidden = e.shape.hidden,
      .top_k = e.shape.top_k,
      .nodes = e.nodes,
      .sms = e.shape.communication_sms,
      .scale_up = e.tokens * scale_up * copy / gpu.scale_up_bandwidth,
      .network = e.tokens * network * copy / gpu.nic_bandwidth};
  return {.seconds = (combine ? curves.combine : curves.dispatch).time(shape) / kSecond,
          .counted_bytes = e.tokens * (e.nodes > 1 ? to_nodes : to_ranks) * copy.base()};
}

}  // namespace

std::variant<double, LeftOut> kernel_value(const scenario::PublishedRow& row,
                                           const catalog::Catalog& catalog) {
  const bool combine = row.metric.starts_with("combine_");
  const bool latency = row.metric == "dispatch_latency" || row.metric == "combine_latency";
  const bool bandwidth =
      row.metric == "dispatch_bottleneck_bandwidth" || row.metric == "combine_bottleneck_bandwidth";
  if (!latency && !bandwidth) return LeftOut{"the best rate of a kernel over shapes not stated"};
  const auto e = exchange_of(row);
  if (!e) return LeftOut{"tokens, experts or ranks of the exchange are not stated"};
  const catalog::Gpu* gpu = gpu_of(row.gpu, catalog);
  if (gpu == nullptr) return LeftOut{fmt::format("GPU \"{}\" is not in the catalog", row.gpu)};
  const auto kind = latency ? AllToAllKind::LowLatency : AllToAllKind::Normal;
  const auto measured = operators::measured_exchange(*catalog.curves, *gpu, kind, e->shape);
  if (!measured) return LeftOut{"no curve of this kind of kernel"};
  if (latency) {
    if (row.unit != "us") return LeftOut{fmt::format("unit \"{}\" is not known", row.unit)};
    constexpr double kMicro = 1e6;
    return kMicro *
           seconds_of_low_latency(*e, std::get<operators::LowLatencyCurves>(measured->model.curves),
                                  combine, *gpu);
  }
  if (row.unit != "GB/s") return LeftOut{fmt::format("unit \"{}\" is not known", row.unit)};
  constexpr double kGiga = 1e9;
  const Normal n =
      normal(*e, std::get<operators::NormalCurves>(measured->model.curves), combine, *gpu);
  return n.counted_bytes / n.seconds / kGiga;
}

}  // namespace moesim::validation
