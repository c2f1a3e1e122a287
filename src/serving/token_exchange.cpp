#include "serving/token_exchange.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "serving/expert_cost.h"

namespace moesim::serving {
namespace {

using operators::AllToAllKind;
using operators::ExchangePhase;
using placement::Copies;

/// Copies per pick are told apart by pair up to this size: pairs beyond it cost too much a layer.
constexpr std::int64_t kMostPairedRanks = 320;

/// All measured exchanges are of GPUs behind NVLink switches.
bool has_curves_of_switch(const Deployment& d) {
  return d.curves && (d.cluster.gpu.scale_up == catalog::ScaleUpKind::NvSwitch);
}

/// Whether copies between the ranks may cross the spine.
bool spans_leaves(const topology::Topology& topology, std::span<const GpuId> group) {
  const auto leaf = [&](GpuId gpu) {
    const auto attachment = topology.attachment(gpu);
    return attachment ? attachment->leaf : -1;
  };
  return std::any_of(group.begin(), group.end(),
                     [&](GpuId gpu) { return leaf(gpu) != leaf(group.front()); });
}

double mean_ranks_on_nic(const topology::Topology& topology, std::span<const GpuId> group) {
  std::vector<std::int32_t> nics;
  for (const GpuId gpu : group) {
    const auto attachment = topology.attachment(gpu);
    if (attachment) nics.push_back(attachment->nic);
  }
  std::sort(nics.begin(), nics.end());
  nics.erase(std::unique(nics.begin(), nics.end()), nics.end());
  return nics.empty() ? 1.0 : static_cast<double>(group.size()) / static_cast<double>(nics.size());
}

}  // namespace

TokensCome way_of_tokens(const Deployment& d, const topology::Topology& topology,
                         std::span<const GpuId> group) {
  using catalog::All2AllBackend;
  if (catalog::gathers(d.all2all)) return TokensCome::NotSent;
  const bool one_domain = std::all_of(group.begin(), group.end(), [&](GpuId gpu) {
    return topology.shares_scale_up(group.front(), gpu);
  });
  if (!has_curves_of_switch(d) || !one_domain) return TokensCome::ByDeepEp;
  // Two-batch overlap is one of DeepEP's kernels.
  const auto& beyond = d.engine.nvlink_exchange_beyond;
  const bool chosen = d.all2all == All2AllBackend::Auto && beyond &&
                      d.cluster.gpu.scale_up_domain > *beyond &&
                      d.overlap.mode != OverlapMode::TwoBatch;
  return chosen || d.all2all == All2AllBackend::NvLink ? TokensCome::OverNvLink
                                                       : TokensCome::ByDeepEp;
}

TokenExchange::TokenExchange(const Deployment& deployment, Kernels& kernels,
                             const topology::Topology& topology, std::span<const GpuId> group,
                             std::int64_t top_k, std::int64_t experts)
    : topology_(&topology),
      ranks_(std::ssize(group)),
      ranks_on_nic_(mean_ranks_on_nic(topology, group)),
      low_latency_alone_(deployment.all2all == catalog::All2AllBackend::DeepEpLowLatency) {
  const operators::ExchangeShape shape{
      .hidden = expert_width(deployment.model), .top_k = top_k, .experts = experts};
  if (catalog::gathers(deployment.all2all)) {
    gathered_.emplace(deployment, kernels, topology, group, shape.hidden, experts);
    ways_.push_back({.exchange = operators::AllToAll(
                         topology, group, {.kind = AllToAllKind::Normal, .shape = shape}),
                     .measured = false,
                     .dispatch_copy = gathered_->dispatch_copy(),
                     .combine_copy = gathered_->combine_copy()});
    return;
  }
  const bool any_kernel = deployment.all2all == catalog::All2AllBackend::Auto;
  const bool nvlink = way_of_tokens(deployment, topology, group) == TokensCome::OverNvLink;
  ways_.push_back(make_way(deployment, kernels, topology, group,
                           nvlink ? AllToAllKind::NvLink : AllToAllKind::Normal, shape));
  if (low_latency_alone_ || (has_curves_of_switch(deployment) && any_kernel && !nvlink)) {
    Way direct = make_way(deployment, kernels, topology, group, AllToAllKind::LowLatency, shape);
    if (direct.measured || low_latency_alone_) ways_.push_back(std::move(direct));
  }
  if (ways_.front().exchange.domains() > 1 && spans_leaves(topology, group)) {
    std::vector<net::ExchangeEstimate::Pair> pairs = net::all_to_all_pairs(topology, group);
    pairs.resize(static_cast<std::size_t>(ranks_ * ways_.front().exchange.domains()));
    estimate_.emplace(topology, pairs);
    if (!estimate_->has_narrow_links()) estimate_.reset();
    if (ways_.size() > 1 && ranks_ <= kMostPairedRanks) set_straight(topology, group);
  }
}

void TokenExchange::set_straight(const topology::Topology& topology, std::span<const GpuId> group) {
  std::vector<net::ExchangeEstimate::Pair> pairs = net::direct_pairs(group);
  for (auto& pair : pairs) {
    if (topology.shares_scale_up(pair.from, pair.to)) pair.to = pair.from;
  }
  straight_.emplace(topology, pairs, net::ExchangeEstimate::Ways::OwnNic);
  if (!straight_->has_narrow_links()) straight_.reset();
}

void TokenExchange::correct_for_sharing(const placement::LayerTraffic& traffic, Copies copies,
                                        std::int64_t most_tokens, operators::LinkLoad& load) {
  if (load.network <= 0.0) return;
  if (copies == Copies::PerPick && counts_pairs()) {
    load.network = std::max(load.network, straight_->time(traffic.between_ranks, kByte) / kSecond);
    if (leaf_binds(*straight_)) load.network *= 1.0 + neighbours_;
    return;
  }
  if (!estimate_) return;
  const double shared = estimate_->time(traffic.to_node, kByte) / kSecond;
  const double beside = leaf_binds(*estimate_) ? 1.0 + neighbours_ : 1.0;
  if (copies == Copies::Deduplicated) {
    load.network = beside * std::max(load.network, shared);
    return;
  }
  // Too many pairs. Copies per pick land on other ports than relayed ones, but share the leaves
  // alike: the same factor, of the counts as if they were relayed.
  const double relayed = ways_.front()
                             .exchange
                             .load({.ranks = ranks_,
                                    .nodes = ways_.front().exchange.domains(),
                                    .to_node = traffic.to_node,
                                    .scale_up_in = traffic.scale_up_in,
                                    .scale_up_out = traffic.scale_up_out,
                                    .tokens = most_tokens})
                             .network;
  if (relayed > 0.0) load.network *= beside * std::max(1.0, shared / relayed);
}

bool TokenExchange::leaf_binds(const net::ExchangeEstimate& estimate) const {
  const auto link = static_cast<std::size_t>(estimate.binding().value());
  return topology_->links()[link].kind == topology::LinkKind::LeafSpine;
}

TokenExchange::Way TokenExchange::make_way(const Deployment& deployment, Kernels& kernels,
                                           const topology::Topology& topology,
                                           std::span<const GpuId> group, AllToAllKind kind,
                                           const operators::ExchangeShape& shape) const {
  const catalog::Precision& precision = deployment.precision;
  std::optional<operators::MeasuredExchange> measured;
  measured = kernels.exchange(kind, shape);
  const Bytes plain = static_cast<double>(shape.hidden) * kByte;
  if (!measured) {
    return {.exchange = operators::AllToAll(topology, group, {.kind = kind, .shape = shape}),
            .measured = false,
            .dispatch_copy = precision.dispatch_element / kByte * plain,
            .combine_copy = precision.combine_element / kByte * plain};
  }
  const auto size = [&](ExchangePhase phase) {
    return operators::copy_size(kind, phase, shape, precision.dispatch_element);
  };
  return {.exchange = operators::AllToAll(topology, group, measured->model),
          .measured = true,
          .dispatch_copy = size(ExchangePhase::Dispatch),
          .combine_copy = size(ExchangePhase::Combine)};
}

Copies TokenExchange::copies(bool prefill, std::int64_t most_tokens) const {
  const bool low_latency = ways_.size() > 1 && !prefill && most_tokens <= kMostLowLatencyTokens;
  return low_latency || low_latency_alone_ ? Copies::PerPick : Copies::Deduplicated;
}

void TokenExchange::add_phase(const Way& way, const operators::LinkLoad& load, Bytes copy,
                              ExchangePhase phase, LimitedTime& time) const {
  const Seconds all = way.exchange.time(load, copy, phase);
  // What an exchange of nothing takes is the messages' and the kernels'; the rest the links'.
  const Seconds latency = std::min(all, way.exchange.time(operators::LinkLoad{}, copy, phase));
  time[Limit::Latency] += latency;
  time[load.network > load.scale_up ? Limit::ScaleOut : Limit::ScaleUp] += all - latency;
}

operators::LinkLoad TokenExchange::load(const placement::LayerTraffic& traffic, Copies copies,
                                        std::int64_t most_tokens) {
  Way& way = ways_[copies == Copies::PerPick ? 1 : 0];
  operators::LinkLoad load = way.exchange.load({.ranks = ranks_,
                                                .nodes = way.exchange.domains(),
                                                .to_node = traffic.to_node,
                                                .scale_up_in = traffic.scale_up_in,
                                                .scale_up_out = traffic.scale_up_out,
                                                .network_in = traffic.network_in,
                                                .tokens = most_tokens});
  correct_for_sharing(traffic, copies, most_tokens, load);
  return load;
}

void TokenExchange::add(const placement::LayerTraffic& traffic, Copies copies,
                        std::int64_t most_tokens, LimitedTime& dispatch, LimitedTime& combine) {
  operators::LinkLoad asked = load(traffic, copies, most_tokens);
  const Way& way = ways_[copies == Copies::PerPick ? 1 : 0];
  const std::int64_t passes = this->passes(most_tokens);
  if (passes == 1) {
    add_phase(way, asked, way.dispatch_copy, ExchangePhase::Dispatch, dispatch);
    add_phase(way, asked, way.combine_copy, ExchangePhase::Combine, combine);
    return;
  }
  const auto times = static_cast<double>(passes);
  asked = {.scale_up = asked.scale_up / times,
           .network = asked.network / times,
           .copies = asked.copies / times,
           .tokens = asked.tokens / times};
  LimitedTime there;
  LimitedTime back;
  add_phase(way, asked, way.dispatch_copy, ExchangePhase::Dispatch, there);
  add_phase(way, asked, way.combine_copy, ExchangePhase::Combine, back);
  dispatch.add(times, there);
  combine.add(times, back);
}

void TokenExchange::add_gathered(const placement::LayerTraffic& traffic, std::int64_t tokens,
                                 LimitedTime& dispatch, LimitedTime& combine) {
  // For the counts of each NIC; the collectives have their own times.
  (void)load(traffic, Copies::Deduplicated, 0);
  gathered_->add(tokens, dispatch, combine);
}

double TokenExchange::flows_on_port(Copies copies) const {
  const auto domains = static_cast<double>(ways_.front().exchange.domains());
  if (domains <= 1.0) return 0.0;
  if (gathers()) return 1.0;
  const auto ranks = static_cast<double>(ranks_);
  return ranks_on_nic_ * (copies == Copies::PerPick ? ranks - ranks / domains : domains - 1.0);
}

LinkTraffic TokenExchange::last_traffic(const placement::LayerTraffic& traffic,
                                        Copies copies) const {
  const Way& way = ways_[copies == Copies::PerPick ? 1 : 0];
  const operators::NicCopies nics = way.exchange.nic_copies();
  return {.scale_up_out = traffic.scale_up_out,
          .scale_up_in = traffic.scale_up_in,
          .nic_out = {nics.out.begin(), nics.out.end()},
          .nic_in = {nics.in.begin(), nics.in.end()},
          .scale_up_seconds_per_byte = way.exchange.scale_up_seconds_per_byte(),
          .nic_seconds_per_byte = way.exchange.nic_seconds_per_byte(),
          .dispatch_copy = way.dispatch_copy,
          .combine_copy = way.combine_copy};
}

}  // namespace moesim::serving
