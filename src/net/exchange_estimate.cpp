#include "net/exchange_estimate.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <utility>

#include "core/check.h"
#include "core/index.h"
#include "net/fabric.h"

namespace moesim::net {
namespace {

using topology::LinkKind;
using topology::Topology;

/// Where a leaf link's service is looked at, in mean flows.
constexpr std::array<double, 4> kStops{0.7, 1.0, 1.5, 2.5};
/// Widest gap between the times with and without other traffic that still is an answer.
constexpr double kNarrowGap = 0.04;
/// An uplink and the sum of its ports are equal up to this.
constexpr double kRounding = 1e-9;

/// Links that are down carry no copies.
double seconds_for_a_byte(BytesPerSecond rate) {
  return rate > BytesPerSecond{} ? kByte / rate / kSecond : 0.0;
}

/// Ways from NIC to NIC.
class OwnNicWays {
 public:
  explicit OwnNicWays(const Topology& topology) : topology_(topology) {
    const auto links = topology.links();
    for (std::size_t l = 0; l < links.size(); ++l) {
      if (links[l].kind != LinkKind::LeafSpine) continue;
      link_between_[{links[l].from, links[l].to}] = LinkId{static_cast<std::int64_t>(l)};
    }
  }

  [[nodiscard]] std::vector<LinkId> path(GpuId from, GpuId to) const {
    const auto out = topology_.attachment(from);
    const auto in = topology_.attachment(to);
    if (topology_.shares_scale_up(from, to) || !out || !in) return topology_.path(from, to);
    std::vector<LinkId> way{out->port_out};
    const auto links = topology_.links();
    if (out->leaf != in->leaf) {
      if (!in->downlink) return topology_.path(from, to);
      const std::int32_t leaf = links[out->port_out.index()].to;
      const std::int32_t spine = links[in->downlink->index()].from;
      way.push_back(link_between_.at({leaf, spine}));
      way.push_back(*in->downlink);
    }
    way.push_back(in->port_in);
    const bool up = std::all_of(way.begin(), way.end(), [&](LinkId link) {
      return links[link.index()].bandwidth > BytesPerSecond{};
    });
    return up ? way : topology_.path(from, to);
  }

 private:
  const Topology& topology_;
  std::map<std::pair<std::int32_t, std::int32_t>, LinkId> link_between_;
};

}  // namespace

ExchangeEstimate::ExchangeEstimate(const Topology& topology, std::span<const Pair> pairs,
                                   Ways ways) {
  const OwnNicWays own(topology);
  const bool shortest = ways == Ways::Shortest;
  const std::vector<std::uint8_t> dominated = dominated_links(topology);
  for (const topology::Link& link : topology.links()) {
    capacity_seconds_.push_back(seconds_for_a_byte(link.bandwidth));
  }
  seconds_ = capacity_seconds_;
  copies_on_.assign(capacity_seconds_.size(), 0);
  for (const Pair& pair : pairs) {
    if (pair.from != pair.to) {
      const std::vector<LinkId> path =
          shortest ? topology.path(pair.from, pair.to) : own.path(pair.from, pair.to);
      for (const LinkId link : path) {
        const topology::Link& crossed = topology.links()[link.index()];
        MOESIM_CHECK(crossed.bandwidth > BytesPerSecond{}, "no path crosses a link that is down");
        const bool leaf = crossed.kind == LinkKind::LeafSpine;
        if (leaf || !shortest || dominated[link.index()] == 0) links_.push_back(link.value());
      }
    }
    first_.push_back(links_.size());
  }
  add_narrow_links(topology);
}

/// Leaf links that are narrower than the ports of the pairs' traffic below them.
void ExchangeEstimate::add_narrow_links(const Topology& topology) {
  const auto links = topology.links();
  std::vector<std::int32_t> place(links.size(), -1);
  const auto add = [&](std::int32_t leaf, std::int32_t pair, std::int32_t port) {
    if (place[as_index(leaf)] < 0) {
      place[as_index(leaf)] = static_cast<std::int32_t>(narrow_.size());
      narrow_.push_back({.link = leaf, .crossings = {}, .ports = {}});
    }
    NarrowLink& narrow = narrow_[as_index(place[as_index(leaf)])];
    const auto known = std::find(narrow.ports.begin(), narrow.ports.end(), port);
    const auto of_link = static_cast<std::int32_t>(known - narrow.ports.begin());
    if (known == narrow.ports.end()) narrow.ports.push_back(port);
    narrow.crossings.push_back({.pair = pair, .port = of_link});
  };
  for (std::size_t p = 0; p + 1 < first_.size(); ++p) {
    // A path through the spine: port out (or the slot, if that is narrower), up, down, port in.
    for (std::size_t up = first_[p]; up + 1 < first_[p + 1]; ++up) {
      if (links[as_index(links_[up])].kind != LinkKind::LeafSpine) continue;
      const auto pair = static_cast<std::int32_t>(p);
      if (up > first_[p]) add(links_[up], pair, links_[up - 1]);
      if (up + 2 < first_[p + 1]) add(links_[up + 1], pair, links_[up + 2]);
      break;
    }
  }
  std::erase_if(narrow_, [&](const NarrowLink& narrow) {
    BytesPerSecond ports;
    for (const std::int32_t port : narrow.ports) ports += links[as_index(port)].bandwidth;
    return links[as_index(narrow.link)].bandwidth >= ports * (1.0 - kRounding);
  });
  std::size_t most = 0;
  for (const NarrowLink& narrow : narrow_) most = std::max(most, narrow.ports.size());
  left_.resize(most);
}

/// The second bound: the slowest port below a narrow link, seconds for copies of one byte.
double ExchangeEstimate::sharing(const NarrowLink& narrow, std::span<const std::int32_t> copies) {
  std::int64_t sum = 0;
  std::int64_t flows = 0;
  for (const Crossing& c : narrow.crossings) {
    sum += copies[as_index(c.pair)];
    flows += copies[as_index(c.pair)] > 0 ? 1 : 0;
  }
  if (flows == 0) return 0.0;
  const double mean = static_cast<double>(sum) / static_cast<double>(flows);
  std::array<double, kStops.size()> served{};
  std::array<double, kStops.size()> left{};
  for (std::size_t i = 0; i < kStops.size(); ++i) served[i] = kStops[i] * mean;
  for (std::size_t p = 0; p < narrow.ports.size(); ++p) left_[p] = {};
  for (const Crossing& c : narrow.crossings) {
    const auto count = static_cast<double>(copies[as_index(c.pair)]);
    if (count <= served[0]) continue;
    auto& of_port = left_[as_index(c.port)];
    for (std::size_t i = 0; i < kStops.size(); ++i) {
      const double more = count > served[i] ? count - served[i] : 0.0;
      of_port[i] += more;
      left[i] += more;
    }
  }
  double slowest = 0.0;
  for (std::size_t i = 0; i < kStops.size(); ++i) {
    const double passed = (static_cast<double>(sum) - left[i]) * seconds_[as_index(narrow.link)];
    for (std::size_t p = 0; p < narrow.ports.size(); ++p) {
      slowest = std::max(slowest, passed + left_[p][i] * seconds_[as_index(narrow.ports[p])]);
    }
  }
  return slowest;
}

double ExchangeEstimate::seconds_per_byte(std::span<const std::int32_t> copies) {
  MOESIM_CHECK(copies.size() + 1 == first_.size(), "a count for each pair");
  std::fill(copies_on_.begin(), copies_on_.end(), 0);
  for (std::size_t p = 0; p < copies.size(); ++p) {
    if (copies[p] == 0) continue;
    for (std::size_t i = first_[p]; i < first_[p + 1]; ++i)
      copies_on_[as_index(links_[i])] += copies[p];
  }
  double longest = 0.0;
  shared_ = false;
  for (std::size_t l = 0; l < copies_on_.size(); ++l) {
    const double seconds = static_cast<double>(copies_on_[l]) * seconds_[l];
    if (seconds <= longest) continue;
    longest = seconds;
    binding_ = LinkId{static_cast<std::int64_t>(l)};
  }
  for (const NarrowLink& narrow : narrow_) {
    const double seconds = sharing(narrow, copies);
    if (seconds <= longest) continue;
    longest = seconds;
    binding_ = LinkId{narrow.link};
    shared_ = true;
  }
  return longest;
}

Seconds ExchangeEstimate::time(std::span<const std::int32_t> copies, Bytes bytes_per_copy) {
  return bytes_per_copy / kByte * seconds_per_byte(copies) * kSecond;
}

std::optional<Seconds> ExchangeEstimate::time_beside(std::span<const std::int32_t> copies,
                                                     Bytes bytes_per_copy,
                                                     std::span<const BytesPerSecond> others) {
  MOESIM_CHECK(others.size() == seconds_.size(), "a load for each link");
  const Seconds free = time(copies, bytes_per_copy);
  bool blocked = false;
  for (std::size_t l = 0; l < seconds_.size(); ++l) {
    if (others[l] == BytesPerSecond{}) continue;
    const double taken = others[l] / (kByte / kSecond) * capacity_seconds_[l];
    blocked = blocked || (taken > 0.99 && copies_on_[l] > 0);
    seconds_[l] = capacity_seconds_[l] / std::max(1.0 - taken, 0.01);
  }
  const Seconds loaded = time(copies, bytes_per_copy);
  seconds_ = capacity_seconds_;
  if (blocked || loaded > free * (1.0 + kNarrowGap)) return std::nullopt;
  return (free + loaded) / 2.0;
}

std::vector<ExchangeEstimate::Pair> all_to_all_pairs(const Topology& topology,
                                                     std::span<const GpuId> group) {
  std::vector<std::vector<GpuId>> domains;
  std::vector<std::int64_t> ids;
  std::vector<std::size_t> domain;
  std::vector<std::size_t> position;
  for (const GpuId g : group) {
    const std::int64_t id = topology.cluster().scale_up_domain_of(g);
    const auto d = static_cast<std::size_t>(std::find(ids.begin(), ids.end(), id) - ids.begin());
    if (d == ids.size()) {
      ids.push_back(id);
      domains.emplace_back();
    }
    domain.push_back(d);
    position.push_back(domains[d].size());
    domains[d].push_back(g);
  }
  std::size_t peers = 0;
  for (const auto& ranks : domains) peers = std::max(peers, ranks.size());
  std::vector<ExchangeEstimate::Pair> pairs;
  for (std::size_t r = 0; r < group.size(); ++r) {
    for (std::size_t d = 0; d < domains.size(); ++d) {
      const GpuId relay = domains[d][position[r] % domains[d].size()];
      pairs.push_back({.from = group[r], .to = d == domain[r] ? group[r] : relay});
    }
  }
  for (std::size_t r = 0; r < group.size(); ++r) {
    const auto& own = domains[domain[r]];
    for (std::size_t p = 0; p < peers; ++p) {
      pairs.push_back({.from = group[r], .to = p < own.size() ? own[p] : group[r]});
    }
  }
  return pairs;
}

std::vector<ExchangeEstimate::Pair> direct_pairs(std::span<const GpuId> group) {
  std::vector<ExchangeEstimate::Pair> pairs;
  for (const GpuId from : group) {
    for (const GpuId to : group) pairs.push_back({.from = from, .to = to});
  }
  return pairs;
}

}  // namespace moesim::net
