#include "calibration/deepep_study.h"

#include <array>

#include "calibration/uniform_copies.h"

namespace moesim::calibration {
namespace {

constexpr std::array<std::string_view, 1> kLowLatencyFolders{"deepep_low_latency"};
constexpr std::array<std::string_view, 1> kLowLatencyLabels{"DeepEP low latency"};
constexpr std::array<std::string_view, 1> kNormalFolders{"deepep_normal"};
constexpr std::array<std::string_view, 1> kNormalLabels{"DeepEP normal"};

/// GPUs a node holds where the tests ran: trays of racks hold four.
std::int64_t ranks_per_node(const catalog::Gpu& gpu) { return gpu.scale_up_domain > 8 ? 4 : 8; }

/// Columns that both kinds share.
struct ShapeColumns {
  explicit ShapeColumns(const CsvTable& table)
      : nodes(table.column("nodes")),
        hidden(table.column("hidden")),
        top_k(table.column("topk")),
        experts(table.column("experts")),
        tokens(table.column("tokens_per_rank")) {}

  [[nodiscard]] ExchangeGroup group(const CsvTable& table, std::size_t row,
                                    const catalog::Gpu& gpu) const {
    ExchangeGroup group{.nodes = table.whole(row, nodes, 1),
                        .ranks_per_node = ranks_per_node(gpu),
                        .experts = table.whole(row, experts, 1),
                        .top_k = table.whole(row, top_k, 1)};
    if (group.top_k > group.experts) {
      table.fail(row, top_k, "a token picks more experts than there are",
                 "give at most the number of experts");
    }
    return group;
  }

  Column nodes, hidden, top_k, experts, tokens;
};

struct Phase {
  std::string_view name;
  std::string_view column;
  bool combine;
};
constexpr std::array<Phase, 2> kPhases{
    {{"dispatch", "dispatch_us", false}, {"combine", "combine_us", true}}};

}  // namespace

std::span<const std::string_view> DeepEpLowLatencyStudy::folders() const {
  return kLowLatencyFolders;
}
std::span<const std::string_view> DeepEpLowLatencyStudy::labels() const {
  return kLowLatencyLabels;
}

void DeepEpLowLatencyStudy::read(const CsvTable& table, const TableOrigin& origin) {
  const ShapeColumns columns(table);
  for (const Phase& phase : kPhases) {
    const Column us = table.column(phase.column);
    const std::int32_t curve = curve_index(origin, "", "deepep", phase.name);
    for (std::size_t r = 0; r < table.rows(); ++r) {
      const ExchangeGroup group = columns.group(table, r, *origin.gpu);
      const std::int64_t hidden = table.whole(r, columns.hidden, 1);
      const auto tokens = static_cast<double>(table.whole(r, columns.tokens, 1));
      const Copies copies = copies_per_pick(group);
      const Bytes moved = tokens * (phase.combine ? operators::low_latency_combine_copy(hidden)
                                                  : operators::low_latency_dispatch_copy(hidden));
      shapes_.push_back({.tokens = tokens,
                         .hidden = hidden,
                         .experts = group.experts,
                         .nodes = group.nodes,
                         .scale_up = copies.scale_up * moved / origin.gpu->scale_up_bandwidth,
                         .network = copies.network * moved / origin.gpu->nic_bandwidth});
      const std::uint64_t own = group_hash({group.nodes, hidden, group.top_k, group.experts});
      // Node counts are left out whole; a single node cannot be told from several.
      add({.curve = curve,
           .label = 0,
           .group = own,
           .family = group.nodes > 1 ? group_hash({group.nodes}) : own,
           .measured = table.positive(r, us) * 1e-6});
    }
  }
}

void DeepEpLowLatencyStudy::predict(std::span<const std::int32_t> samples,
                                    std::span<const double> coefficients,
                                    std::span<double> predicted) const {
  const operators::DeepEpLowLatencyCurve curve(coefficients);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    predicted[i] = curve.time(shapes_[static_cast<std::size_t>(samples[i])]) / kSecond;
  }
}

std::span<const std::string_view> DeepEpNormalStudy::folders() const { return kNormalFolders; }
std::span<const std::string_view> DeepEpNormalStudy::labels() const { return kNormalLabels; }

void DeepEpNormalStudy::read(const CsvTable& table, const TableOrigin& origin) {
  const ShapeColumns columns(table);
  const Column sms = table.column("sms");
  for (const Phase& phase : kPhases) {
    const Column us = table.column(phase.column);
    const std::int32_t curve = curve_index(origin, "", "deepep", phase.name);
    for (std::size_t r = 0; r < table.rows(); ++r) {
      const ExchangeGroup group = columns.group(table, r, *origin.gpu);
      const std::int64_t hidden = table.whole(r, columns.hidden, 1);
      const auto tokens = static_cast<double>(table.whole(r, columns.tokens, 1));
      const Copies copies = deduplicated_copies(group);
      const Bytes copy = phase.combine ? operators::normal_combine_copy(hidden, group.top_k)
                                       : operators::normal_dispatch_copy(hidden, group.top_k);
      const operators::NormalExchangeShape shape{
          .tokens = tokens,
          .copies = tokens * copies.scale_up,
          .copy = copy,
          .hidden = hidden,
          .top_k = group.top_k,
          .nodes = group.nodes,
          .sms = table.whole(r, sms, 1),
          .scale_up = tokens * copies.scale_up * copy / origin.gpu->scale_up_bandwidth,
          .network = tokens * copies.network * copy / origin.gpu->nic_bandwidth};
      shapes_.push_back(shape);
      add({.curve = curve,
           .label = 0,
           .group = group_hash({group.nodes, hidden, group.top_k, group.experts, shape.sms}),
           .family = group_hash({hidden, group.top_k, group.experts}),
           .measured = table.positive(r, us) * 1e-6});
    }
  }
}

void DeepEpNormalStudy::predict(std::span<const std::int32_t> samples,
                                std::span<const double> coefficients,
                                std::span<double> predicted) const {
  const operators::DeepEpNormalCurve curve(coefficients);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    predicted[i] = curve.time(shapes_[static_cast<std::size_t>(samples[i])]) / kSecond;
  }
}

}  // namespace moesim::calibration
