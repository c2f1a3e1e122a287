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

AllToAll::AllToAll(const Topology& topology, std::span<const GpuId> group) {
  MOESIM_CHECK(!group.empty(), "an expert group has ranks");
  std::vector<std::int64_t> domains;
  for (const GpuId g : group) {
    domain_of_rank_.push_back(place_of(domains, topology.cluster().scale_up_domain_of(g)));
  }
  domains_ = static_cast<std::int64_t>(domains.size());
  set_scale_up(topology, group);
  if (domains_ == 1) return;
  set_nics(topology, group);
  set_leaves(topology);
  set_scale_out_latency(topology, group);
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
  std::vector<std::vector<std::int32_t>> nics_of_domain(static_cast<std::size_t>(domains_));
  std::vector<std::int32_t> nics;
  for (std::size_t r = 0; r < group.size(); ++r) {
    const auto attachment = topology.attachment(group[r]);
    MOESIM_CHECK(attachment.has_value(), "ranks in several domains have NICs");
    auto& mine = nics_of_domain[static_cast<std::size_t>(domain_of_rank_[r])];
    place_of_rank_.push_back(place_of(mine, attachment->nic));
    port_of_rank_.push_back(place_of(nics, attachment->nic));
    leaf_of_rank_.push_back(attachment->leaf);
    places_ = std::max(places_, static_cast<std::int64_t>(mine.size()));
    nic_seconds_per_byte_ =
        seconds_per_byte(topology.links()[attachment->port_out.index()].bandwidth);
  }
  ranks_on_port_.assign(nics.size(), 0);
  std::vector<std::int32_t> leaf_of_port(nics.size());
  for (std::size_t r = 0; r < group.size(); ++r) {
    const auto port = static_cast<std::size_t>(port_of_rank_[r]);
    ++ranks_on_port_[port];
    leaf_of_port[port] = leaf_of_rank_[r];
  }
  for (std::size_t place = 0; place < static_cast<std::size_t>(places_); ++place) {
    for (const auto& mine : nics_of_domain) {
      // A domain with fewer NICs takes the traffic of the missing places on those it has.
      const std::int32_t port = place_of(nics, mine[place % mine.size()]);
      entry_port_.push_back(port);
      entry_leaf_.push_back(leaf_of_port[static_cast<std::size_t>(port)]);
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
    leaves = std::max(leaves, attachment->leaf + 1);
    if (!attachment->uplink) continue;
    leaf_seconds_per_byte_.resize(static_cast<std::size_t>(leaves));
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

double AllToAll::scale_out_seconds_per_byte(const TokenTraffic& traffic) {
  std::fill(entry_in_.begin(), entry_in_.end(), 0);
  std::fill(port_in_.begin(), port_in_.end(), 0);
  std::fill(port_out_.begin(), port_out_.end(), 0);
  if (crosses_spine_) {
    std::fill(entry_crossing_.begin(), entry_crossing_.end(), 0);
    std::fill(leaf_up_.begin(), leaf_up_.end(), 0);
    std::fill(leaf_down_.begin(), leaf_down_.end(), 0);
  }
  const std::int32_t* row = traffic.to_node.data();
  for (std::size_t r = 0; r < domain_of_rank_.size(); ++r, row += domains_) count_rank(row, r);
  for (std::size_t e = 0; e < entry_in_.size(); ++e) {
    port_in_[static_cast<std::size_t>(entry_port_[e])] += entry_in_[e];
  }
  double busiest = nic_seconds_per_byte_ * std::max(largest(port_out_), largest(port_in_));
  busiest = std::max(busiest, pcie_seconds_per_byte_ * largest(rank_out_));
  if (!crosses_spine_) return busiest;
  for (std::size_t e = 0; e < entry_crossing_.size(); ++e) {
    leaf_down_[static_cast<std::size_t>(entry_leaf_[e])] += entry_crossing_[e];
  }
  for (std::size_t l = 0; l < leaf_up_.size(); ++l) {
    busiest = std::max(busiest, leaf_seconds_per_byte_[l] * std::max(leaf_up_[l], leaf_down_[l]));
  }
  return busiest;
}

double AllToAll::busiest_seconds_per_byte(const TokenTraffic& traffic) {
  MOESIM_DCHECK(traffic.ranks == static_cast<std::int64_t>(domain_of_rank_.size()) &&
                    traffic.nodes == domains_,
                "the traffic is that of this group");
  double busiest = 0.0;
  if (domains_ > 1) busiest = scale_out_seconds_per_byte(traffic);
  std::int32_t most = 0;
  if (domains_ == 1 || !slot_shared_) {
    for (std::size_t r = 0; r < domain_of_rank_.size(); ++r) {
      most = std::max(most, std::max(traffic.scale_up_in[r], traffic.scale_up_out[r]));
    }
    return std::max(busiest, scale_up_seconds_per_byte_ * most);
  }
  // One PCIe slot per GPU carries both kinds; a NIC's arrivals are spread over the GPUs it serves.
  double slot = 0.0;
  for (std::size_t r = 0; r < domain_of_rank_.size(); ++r) {
    const auto port = static_cast<std::size_t>(port_of_rank_[r]);
    const double in = static_cast<double>(port_in_[port]) / ranks_on_port_[port];
    slot = std::max({slot, static_cast<double>(traffic.scale_up_out[r]) + rank_out_[r],
                     static_cast<double>(traffic.scale_up_in[r]) + in});
  }
  return std::max(busiest, scale_up_seconds_per_byte_ * slot);
}

Seconds AllToAll::time(const TokenTraffic& traffic, Bytes bytes_per_copy) {
  const double seconds = bytes_per_copy / kByte * busiest_seconds_per_byte(traffic);
  return latency_ + seconds * kSecond;
}

}  // namespace moesim::operators
