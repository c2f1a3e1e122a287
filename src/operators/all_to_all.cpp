#include "operators/all_to_all.h"

#include <algorithm>

#include "core/check.h"

namespace moesim::operators {
namespace {

using topology::Topology;

double seconds_per_byte(BytesPerSecond rate) { return kByte / rate / kSecond; }

std::int32_t largest(const std::vector<std::int32_t>& values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

/// Place of `value` in `list`, appended if new.
template <class T>
std::int32_t place_of(std::vector<T>& list, T value) {
  const auto at = std::find(list.begin(), list.end(), value);
  const auto place = static_cast<std::int32_t>(at - list.begin());
  if (at == list.end()) list.push_back(value);
  return place;
}

}  // namespace

AllToAll::AllToAll(const Topology& topology, std::span<const GpuId> group,
                   const ExchangeModel& model)
    : model_(model),
      scale_up_efficiency_(topology.cluster().scale_up.efficiency),
      network_efficiency_(topology.cluster().nic.efficiency) {
  MOESIM_CHECK(!group.empty(), "an expert group has ranks");
  std::vector<std::int64_t> domains;
  for (const GpuId g : group) {
    domain_of_rank_.push_back(place_of(domains, topology.cluster().scale_up_domain_of(g)));
  }
  domains_ = static_cast<std::int64_t>(domains.size());
  MOESIM_CHECK(model.kind != AllToAllKind::NvLink || domains_ == 1,
               "exchanges over NVLink alone stay in one domain");
  set_scale_up(topology, group);
  if (domains_ == 1) return;
  set_nics(topology, group);
  set_leaves(topology);
  if (model.kind == AllToAllKind::LowLatency) {
    set_crossing_shares();
    set_direct_latency(topology, group);
  } else {
    set_scale_out_latency(topology, group);
  }
}

/// Rate at which a rank talks to the others of its domain all at once; the slowest domain's.
void AllToAll::set_scale_up(const Topology& topology, std::span<const GpuId> group) {
  for (std::size_t r = 0; r < group.size(); ++r) {
    bool pairs = true;
    double peers = 0.0;
    double narrowest = 0.0;
    for (std::size_t other = 0; other < group.size(); ++other) {
      if (other == r || domain_of_rank_[other] != domain_of_rank_[r]) continue;
      const topology::PathSummary path = topology.summary(group[r], group[other]);
      pairs = pairs && path.hops == 1;
      peers += 1.0;
      narrowest = std::max(narrowest, seconds_per_byte(path.bandwidth));
      latency_ = std::max(latency_, path.latency);
      const topology::Link& link = topology.links()[path.bottleneck.index()];
      slot_shared_ = slot_shared_ || link.kind == topology::LinkKind::Pcie;
    }
    if (peers == 0.0) continue;
    scale_up_seconds_per_byte_ =
        std::max(scale_up_seconds_per_byte_, pairs ? narrowest / peers : narrowest);
  }
}

void AllToAll::set_nics(const Topology& topology, std::span<const GpuId> group) {
  const auto links = topology.links();
  std::vector<std::vector<std::int32_t>> nics_of_domain(static_cast<std::size_t>(domains_));
  std::vector<std::int32_t> nics;
  for (std::size_t r = 0; r < group.size(); ++r) {
    const auto attachment = topology.attachment(group[r]);
    MOESIM_CHECK(attachment.has_value(), "ranks in several domains have NICs");
    auto& mine = nics_of_domain[static_cast<std::size_t>(domain_of_rank_[r])];
    place_of_rank_.push_back(place_of(mine, attachment->nic));
    const std::int32_t port = place_of(nics, attachment->nic);
    port_of_rank_.push_back(port);
    leaf_of_rank_.push_back(attachment->leaf);
    places_ = std::max(places_, static_cast<std::int64_t>(mine.size()));
    const auto p = static_cast<std::size_t>(port);
    port_seconds_per_byte_.resize(nics.size());
    leaf_of_port_.resize(nics.size());
    domain_of_port_.resize(nics.size());
    ranks_on_port_.resize(nics.size());
    port_seconds_per_byte_[p] =
        std::max(seconds_per_byte(links[attachment->port_out.index()].bandwidth),
                 seconds_per_byte(links[attachment->port_in.index()].bandwidth));
    leaf_of_port_[p] = attachment->leaf;
    domain_of_port_[p] = domain_of_rank_[r];
    ++ranks_on_port_[p];
  }
  for (std::size_t place = 0; place < static_cast<std::size_t>(places_); ++place) {
    for (const auto& mine : nics_of_domain) {
      // A domain with fewer NICs takes the traffic of the missing places on those it has.
      const std::int32_t port = place_of(nics, mine[place % mine.size()]);
      entry_port_.push_back(port);
      entry_leaf_.push_back(leaf_of_port_[static_cast<std::size_t>(port)]);
    }
  }
  pcie_seconds_per_byte_ =
      seconds_per_byte(topology.cluster().pcie.bandwidth * topology.cluster().pcie.efficiency);
  entry_in_.resize(entry_port_.size());
  entry_crossing_.resize(entry_port_.size());
  port_in_.resize(nics.size());
  port_out_.resize(nics.size());
  rank_out_.resize(group.size());
}

void AllToAll::set_leaves(const Topology& topology) {
  std::int32_t leaves = 0;
  for (std::int64_t g = 0; g < topology.cluster().gpus(); ++g) {
    const auto attachment = topology.attachment(GpuId{g});
    if (!attachment) continue;
    leaves = std::max(leaves, attachment->leaf + 1);
    leaf_seconds_per_byte_.resize(static_cast<std::size_t>(leaves), 0.0);
    if (!attachment->uplink) continue;
    leaf_seconds_per_byte_[static_cast<std::size_t>(attachment->leaf)] =
        seconds_per_byte(attachment->leaf_rate);
  }
  leaf_up_.resize(static_cast<std::size_t>(leaves));
  leaf_down_.resize(static_cast<std::size_t>(leaves));
  for (std::size_t r = 0; r < place_of_rank_.size(); ++r) {
    for (std::size_t d = 0; d < static_cast<std::size_t>(domains_); ++d) {
      const std::size_t entry = static_cast<std::size_t>(place_of_rank_[r] * domains_) + d;
      const bool remote = domain_of_rank_[r] != static_cast<std::int32_t>(d);
      crosses_spine_ = crosses_spine_ || (remote && entry_leaf_[entry] != leaf_of_rank_[r]);
    }
  }
}

/// Straight copies end at all NICs of a domain alike.
void AllToAll::set_crossing_shares() {
  const auto domains = static_cast<std::size_t>(domains_);
  const std::size_t leaves = leaf_up_.size();
  std::vector<double> ports(domains, 0.0);
  std::vector<double> below(leaves * domains, 0.0);
  for (std::size_t p = 0; p < leaf_of_port_.size(); ++p) {
    const auto d = static_cast<std::size_t>(domain_of_port_[p]);
    ports[d] += 1.0;
    below[static_cast<std::size_t>(leaf_of_port_[p]) * domains + d] += 1.0;
  }
  crossing_share_.resize(leaves * domains);
  for (std::size_t l = 0; l < leaves; ++l) {
    for (std::size_t d = 0; d < domains; ++d) {
      crossing_share_[l * domains + d] = 1.0 - below[l * domains + d] / ports[d];
    }
  }
  for (std::size_t r = 0; r < domain_of_rank_.size(); ++r) {
    double senders = 0.0;
    double beyond = 0.0;
    for (std::size_t other = 0; other < domain_of_rank_.size(); ++other) {
      if (domain_of_rank_[other] == domain_of_rank_[r]) continue;
      senders += 1.0;
      beyond += leaf_of_rank_[other] != leaf_of_rank_[r] ? 1.0 : 0.0;
    }
    crossing_in_.push_back(beyond / senders);
    crosses_spine_ = crosses_spine_ || beyond > 0.0;
  }
}

/// The longest way from a rank to where its copies enter another domain, then over scale-up.
void AllToAll::set_scale_out_latency(const Topology& topology, std::span<const GpuId> group) {
  std::vector<GpuId> gpu_of_port(ranks_on_port_.size());
  for (std::size_t r = group.size(); r-- > 0;) {
    gpu_of_port[static_cast<std::size_t>(port_of_rank_[r])] = group[r];
  }
  Seconds longest;
  for (std::size_t r = 0; r < group.size(); ++r) {
    for (std::int64_t d = 0; d < domains_; ++d) {
      if (d == domain_of_rank_[r]) continue;
      const auto entry = static_cast<std::size_t>(place_of_rank_[r] * domains_ + d);
      const GpuId to = gpu_of_port[static_cast<std::size_t>(entry_port_[entry])];
      longest = std::max(longest, topology.summary(group[r], to).latency);
    }
  }
  latency_ += longest;
}

/// The longest way from a rank of the first domain to any other rank.
void AllToAll::set_direct_latency(const Topology& topology, std::span<const GpuId> group) {
  for (std::size_t r = 0; r < group.size(); ++r) {
    if (domain_of_rank_[r] != 0) continue;
    for (std::size_t other = 0; other < group.size(); ++other) {
      if (domain_of_rank_[other] == 0) continue;
      latency_ = std::max(latency_, topology.summary(group[r], group[other]).latency);
    }
  }
}

void AllToAll::clear_scratch() {
  std::fill(entry_in_.begin(), entry_in_.end(), 0);
  std::fill(port_in_.begin(), port_in_.end(), 0);
  std::fill(port_out_.begin(), port_out_.end(), 0);
  if (!crosses_spine_) return;
  std::fill(entry_crossing_.begin(), entry_crossing_.end(), 0);
  std::fill(leaf_up_.begin(), leaf_up_.end(), 0.0);
  std::fill(leaf_down_.begin(), leaf_down_.end(), 0.0);
}

void AllToAll::count_rank(const std::int32_t* row, std::size_t rank) {
  const auto domains = static_cast<std::size_t>(domains_);
  const std::size_t first = static_cast<std::size_t>(place_of_rank_[rank]) * domains;
  std::int32_t* in = entry_in_.data() + first;
  std::int32_t out = 0;
  for (std::size_t d = 0; d < domains; ++d) {
    in[d] += row[d];
    out += row[d];
  }
  rank_out_[rank] = out;
  port_out_[static_cast<std::size_t>(port_of_rank_[rank])] += out;
  if (!crosses_spine_) return;
  const std::int32_t leaf = leaf_of_rank_[rank];
  const std::int32_t* leaves = entry_leaf_.data() + first;
  std::int32_t* crossing = entry_crossing_.data() + first;
  std::int32_t up = 0;
  for (std::size_t d = 0; d < domains; ++d) {
    const std::int32_t copies = leaves[d] != leaf ? row[d] : 0;
    crossing[d] += copies;
    up += copies;
  }
  leaf_up_[static_cast<std::size_t>(leaf)] += up;
}

/// Every copy enters a domain by the NIC at its source's own place.
void AllToAll::count_relayed(const TokenTraffic& traffic) {
  const std::int32_t* row = traffic.to_node.data();
  for (std::size_t r = 0; r < domain_of_rank_.size(); ++r, row += domains_) count_rank(row, r);
  for (std::size_t e = 0; e < entry_in_.size(); ++e) {
    port_in_[static_cast<std::size_t>(entry_port_[e])] += entry_in_[e];
  }
  if (!crosses_spine_) return;
  for (std::size_t e = 0; e < entry_crossing_.size(); ++e) {
    leaf_down_[static_cast<std::size_t>(entry_leaf_[e])] += entry_crossing_[e];
  }
}

/// Every copy enters by the NIC of the rank it is for.
void AllToAll::count_direct(const TokenTraffic& traffic) {
  const auto domains = static_cast<std::size_t>(domains_);
  const std::int32_t* row = traffic.to_node.data();
  for (std::size_t r = 0; r < domain_of_rank_.size(); ++r, row += domains_) {
    std::int32_t out = 0;
    for (std::size_t d = 0; d < domains; ++d) out += row[d];
    rank_out_[r] = out;
    const auto port = static_cast<std::size_t>(port_of_rank_[r]);
    port_out_[port] += out;
    port_in_[port] += traffic.network_in[r];
    if (!crosses_spine_) continue;
    const auto leaf = static_cast<std::size_t>(leaf_of_rank_[r]);
    const double* share = crossing_share_.data() + leaf * domains;
    for (std::size_t d = 0; d < domains; ++d) leaf_up_[leaf] += share[d] * row[d];
    leaf_down_[leaf] += crossing_in_[r] * traffic.network_in[r];
  }
}

double AllToAll::network_seconds_per_byte(const TokenTraffic& traffic) {
  clear_scratch();
  if (model_.kind == AllToAllKind::LowLatency) {
    count_direct(traffic);
  } else {
    count_relayed(traffic);
  }
  double busiest = pcie_seconds_per_byte_ * largest(rank_out_);
  for (std::size_t p = 0; p < port_in_.size(); ++p) {
    busiest = std::max(busiest, port_seconds_per_byte_[p] * std::max(port_out_[p], port_in_[p]));
  }
  if (!crosses_spine_) return busiest;
  for (std::size_t l = 0; l < leaf_up_.size(); ++l) {
    busiest = std::max(busiest, leaf_seconds_per_byte_[l] * std::max(leaf_up_[l], leaf_down_[l]));
  }
  return busiest;
}

double AllToAll::scale_up_copies(const TokenTraffic& traffic) const {
  if (domains_ == 1 || !slot_shared_) {
    std::int32_t most = 0;
    for (std::size_t r = 0; r < domain_of_rank_.size(); ++r) {
      most = std::max(most, std::max(traffic.scale_up_in[r], traffic.scale_up_out[r]));
    }
    return most;
  }
  // One PCIe slot per GPU carries both kinds; a NIC's arrivals are spread over the GPUs it serves.
  double slot = 0.0;
  for (std::size_t r = 0; r < domain_of_rank_.size(); ++r) {
    const auto port = static_cast<std::size_t>(port_of_rank_[r]);
    const double in = static_cast<double>(port_in_[port]) / ranks_on_port_[port];
    slot = std::max({slot, static_cast<double>(traffic.scale_up_out[r]) + rank_out_[r],
                     static_cast<double>(traffic.scale_up_in[r]) + in});
  }
  return slot;
}

LinkLoad AllToAll::load(const TokenTraffic& traffic) {
  MOESIM_DCHECK(traffic.ranks == static_cast<std::int64_t>(domain_of_rank_.size()) &&
                    traffic.nodes == domains_,
                "the traffic is that of this group");
  LinkLoad load{.tokens = static_cast<double>(traffic.tokens)};
  if (domains_ > 1) load.network = network_seconds_per_byte(traffic);
  load.copies = scale_up_copies(traffic);
  load.scale_up = scale_up_seconds_per_byte_ * load.copies;
  return load;
}

std::vector<double> AllToAll::nic_seconds_per_byte() const {
  std::vector<double> peak = port_seconds_per_byte_;
  for (double& seconds : peak) seconds *= network_efficiency_;
  return peak;
}

Seconds AllToAll::time(const LinkLoad& load, Bytes bytes_per_copy, ExchangePhase phase) const {
  const double bytes = bytes_per_copy / kByte;
  const Seconds scale_up = bytes * load.scale_up * scale_up_efficiency_ * kSecond;
  const Seconds network = bytes * load.network * network_efficiency_ * kSecond;
  const bool dispatch = phase == ExchangePhase::Dispatch;
  const ExchangeShape& shape = model_.shape;
  if (const auto* curves = std::get_if<LowLatencyCurves>(&model_.curves)) {
    return (dispatch ? curves->dispatch : curves->combine)
        .time({.tokens = load.tokens,
               .hidden = shape.hidden,
               .experts = shape.experts,
               .nodes = domains_,
               .scale_up = scale_up,
               .network = network});
  }
  if (const auto* curves = std::get_if<NormalCurves>(&model_.curves)) {
    return normal_notify(domains_) + (dispatch ? curves->dispatch : curves->combine)
                                         .time({.tokens = load.tokens,
                                                .copies = load.copies,
                                                .copy = bytes_per_copy,
                                                .hidden = shape.hidden,
                                                .top_k = shape.top_k,
                                                .nodes = domains_,
                                                .sms = shape.communication_sms,
                                                .scale_up = scale_up,
                                                .network = network});
  }
  if (const auto* curves = std::get_if<NvlinkCurves>(&model_.curves)) {
    NvlinkExchangeShape exchange{.tokens = load.tokens,
                                 .top_k = shape.top_k,
                                 .ranks = static_cast<std::int64_t>(domain_of_rank_.size()),
                                 .copy = bytes_per_copy,
                                 .link = scale_up};
    Seconds time = (dispatch ? curves->dispatch : curves->combine).time(exchange);
    if (dispatch && curves->prepare) {
      // What prepares an exchange moves the picks alone.
      exchange.copy = 8.0 * static_cast<double>(shape.top_k) * kByte;
      exchange.link = exchange.copy / kByte * load.scale_up * scale_up_efficiency_ * kSecond;
      time += curves->prepare->time(exchange);
    }
    return time;
  }
  return latency_ + bytes * load.busiest() * kSecond;
}

}  // namespace moesim::operators
