#include "serving/link_use.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "core/check.h"
#include "net/collective_flows.h"

namespace moesim::serving {
namespace {

using placement::Copies;
using topology::Link;
using topology::LinkKind;
using topology::Topology;
using topology::VertexKind;

constexpr std::size_t kShown = 10;

/// Kinds as they are met on the way from a GPU to another.
constexpr std::array<std::string_view, 11> kNames = {
    "GPU to GPU",  "GPU to switch",      "GPU to host",          "GPU to NIC",
    "host to NIC", "NIC to leaf",        "leaf to spine",        "spine to leaf",
    "leaf to NIC", "NIC to GPU or host", "switch or host to GPU"};

std::size_t kind_of(const Topology& t, const Link& link) {
  const VertexKind from = t.vertices()[static_cast<std::size_t>(link.from)].kind;
  const VertexKind to = t.vertices()[static_cast<std::size_t>(link.to)].kind;
  switch (link.kind) {
    case LinkKind::ScaleUp:
      if (from == VertexKind::Gpu) return to == VertexKind::Gpu ? 0 : 1;
      return 10;
    case LinkKind::Pcie:
      if (from == VertexKind::Gpu) return to == VertexKind::Host ? 2 : 3;
      if (from == VertexKind::Host) return to == VertexKind::Nic ? 4 : 10;
      return 9;
    case LinkKind::NicPort:
      return from == VertexKind::Nic ? 5 : 8;
    case LinkKind::LeafSpine:
      return from == VertexKind::Leaf ? 6 : 7;
  }
  return 0;
}

std::string name_of(const Topology& t, const Link& link) {
  return t.vertices()[static_cast<std::size_t>(link.from)].name + " -> " +
         t.vertices()[static_cast<std::size_t>(link.to)].name;
}

/// Used most while exchanging, then over the run, then by number.
bool is_busier(const BusyLink& a, const BusyLink& b) {
  if (a.use.exchanging != b.use.exchanging) return a.use.exchanging > b.use.exchanging;
  if (a.use.utilisation != b.use.utilisation) return a.use.utilisation > b.use.utilisation;
  return a.link < b.link;
}

void add_counts(std::span<const std::int32_t> counts, std::vector<std::int64_t>& sums) {
  sums.resize(counts.size());
  for (std::size_t i = 0; i < counts.size(); ++i) sums[i] += counts[i];
}

/// Puts the bytes of one stage on links.
class StageLoad {
 public:
  explicit StageLoad(const Topology& topology)
      : topology_(topology), bytes_(topology.links().size()) {}

  void add(const StageTraffic& stage) {
    for (const ExchangeTotals& exchange : stage.exchanges) {
      if (exchange.to_node.empty()) continue;
      set_domains(stage);
      add_inside(stage, exchange);
      add_between(stage, exchange);
    }
    add_collectives(stage);
    for (std::size_t r = 0; r < stage.activations.size() && !stage.next.empty(); ++r) {
      const std::size_t first = r * static_cast<std::size_t>(stage.tp);
      send(stage.group[first], stage.next[first], stage.activations[r]);
    }
  }
  /// Adds the bytes to those of all stages and starts anew.
  void fold_into(std::vector<LinkUse>& links, Seconds exchanging) {
    for (const LinkId id : touched_) {
      Bytes& bytes = bytes_[id.index()];
      LinkUse& link = links[id.index()];
      link.carried += bytes;
      if (exchanging > Seconds{}) {
        const Seconds needed = bytes / topology_.links()[id.index()].bandwidth;
        link.exchanging = std::max(link.exchanging, needed / exchanging);
      }
      bytes = Bytes{};
    }
    touched_.clear();
  }

 private:
  void send(GpuId from, GpuId to, Bytes bytes) {
    if (!(bytes > Bytes{}) || from == to) return;
    for (const LinkId id : topology_.path(from, to)) {
      if (!(bytes_[id.index()] > Bytes{})) touched_.push_back(id);
      bytes_[id.index()] += bytes;
    }
  }
  /// Dispatch there, combine back.
  void exchange(const StageTraffic& stage, const ExchangeTotals& totals, std::size_t from,
                std::size_t to, double copies) {
    send(stage.group[from], stage.group[to], copies * totals.dispatch_copy);
    send(stage.group[to], stage.group[from], copies * totals.combine_copy);
  }
  void set_domains(const StageTraffic& stage) {
    ranks_of_domain_.clear();
    position_.clear();
    for (std::size_t r = 0; r < stage.domain_of_rank.size(); ++r) {
      const auto domain = static_cast<std::size_t>(stage.domain_of_rank[r]);
      if (domain >= ranks_of_domain_.size()) ranks_of_domain_.resize(domain + 1);
      position_.push_back(ranks_of_domain_[domain].size());
      ranks_of_domain_[domain].push_back(r);
    }
  }
  void add_inside(const StageTraffic& stage, const ExchangeTotals& totals) {
    for (const std::vector<std::size_t>& ranks : ranks_of_domain_) {
      std::vector<double> out;
      std::vector<double> in;
      for (const std::size_t r : ranks) {
        out.push_back(static_cast<double>(totals.scale_up_out[r]));
        in.push_back(static_cast<double>(totals.scale_up_in[r]));
      }
      const std::vector<double> pairs = fitted_pairs(out, in);
      for (std::size_t i = 0; i < ranks.size(); ++i) {
        for (std::size_t j = 0; j < ranks.size(); ++j) {
          exchange(stage, totals, ranks[i], ranks[j], pairs[i * ranks.size() + j]);
        }
      }
    }
  }
  void add_between(const StageTraffic& stage, const ExchangeTotals& totals) {
    const std::size_t domains = ranks_of_domain_.size();
    for (std::size_t r = 0; r < position_.size(); ++r) {
      for (std::size_t d = 0; d < domains; ++d) {
        const auto copies = static_cast<double>(totals.to_node[r * domains + d]);
        if (copies == 0.0) continue;
        const std::vector<std::size_t>& there = ranks_of_domain_[d];
        if (totals.copies == Copies::Deduplicated) {
          exchange(stage, totals, r, there[position_[r] % there.size()], copies);
          continue;
        }
        // Sources alike: each rank of the domain gets its share of all that entered the domain.
        std::int64_t entered = 0;
        for (const std::size_t q : there) entered += totals.network_in[q];
        for (const std::size_t q : there) {
          const double share =
              static_cast<double>(totals.network_in[q]) / static_cast<double>(entered);
          exchange(stage, totals, r, q, copies * share);
        }
      }
    }
  }
  void add_collectives(const StageTraffic& stage) {
    if (stage.tp < 2) return;
    const auto tp = static_cast<std::size_t>(stage.tp);
    for (std::size_t r = 0; r < stage.activations.size(); ++r) {
      if (!(stage.activations[r] > Bytes{})) continue;
      const std::span<const GpuId> group = std::span(stage.group).subspan(r * tp, tp);
      const bool near = std::all_of(group.begin(), group.end(), [&](GpuId g) {
        return topology_.shares_scale_up(group.front(), g);
      });
      if (stage.all_reduces > 0) {
        const Bytes bytes = static_cast<double>(stage.all_reduces) * stage.activations[r];
        send(net::all_reduce_flows(
            topology_, group, bytes,
            near ? net::AllReduceAlgorithm::Direct : net::AllReduceAlgorithm::Usual));
      }
      if (stage.all_gathers > 0) {
        const Bytes bytes = static_cast<double>(stage.all_gathers) * stage.activations[r];
        send(net::all_gather_flows(topology_, group, bytes));
      }
    }
  }
  void send(const net::CollectiveFlows& flows) {
    for (const net::Phase& phase : flows.phases) {
      for (const net::Transfer& t : phase.transfers) send(t.from, t.to, t.bytes);
    }
  }

  const Topology& topology_;
  std::vector<Bytes> bytes_;  ///< [link]
  std::vector<LinkId> touched_;
  std::vector<std::vector<std::size_t>> ranks_of_domain_;
  std::vector<std::size_t> position_;  ///< [rank] in its domain.
};

/// Scales each row (stride 1) or column so that it sums to `wanted`; returns the largest deviation
/// met before.
double fit(std::span<const double> wanted, std::size_t step, std::size_t stride,
           std::vector<double>& pairs) {
  double worst = 0.0;
  const std::size_t n = wanted.size();
  for (std::size_t i = 0; i < n; ++i) {
    double sum = 0.0;
    for (std::size_t j = 0; j < n; ++j) sum += pairs[i * step + j * stride];
    worst = std::max(worst, sum > wanted[i] ? sum - wanted[i] : wanted[i] - sum);
    const double scale = sum > 0.0 ? wanted[i] / sum : 0.0;
    for (std::size_t j = 0; j < n; ++j) pairs[i * step + j * stride] *= scale;
  }
  return worst;
}

}  // namespace

void ExchangeTotals::add(const placement::LayerTraffic& traffic) {
  add_counts(traffic.to_node, to_node);
  add_counts(traffic.scale_up_in, scale_up_in);
  add_counts(traffic.scale_up_out, scale_up_out);
  if (copies == Copies::PerPick) add_counts(traffic.network_in, network_in);
}

void ExchangeTotals::scale(double factor) {
  for (std::vector<std::int64_t>* const counts :
       {&to_node, &scale_up_in, &scale_up_out, &network_in}) {
    for (std::int64_t& n : *counts) n = std::llround(factor * static_cast<double>(n));
  }
}

std::vector<double> fitted_pairs(std::span<const double> out, std::span<const double> in) {
  constexpr int kMostRounds = 200;
  const std::size_t n = out.size();
  std::vector<double> pairs(n * n, 1.0);
  double total = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    pairs[i * n + i] = 0.0;
    total += out[i];
  }
  fit(out, n, 1, pairs);
  for (int round = 0; round < kMostRounds; ++round) {
    const double off = fit(in, 1, n, pairs);
    fit(out, n, 1, pairs);
    if (off <= 1e-9 * total) break;
  }
  return pairs;
}

std::vector<LinkUse> use_of_links(const Topology& topology, std::span<const StageTraffic> stages,
                                  Seconds duration) {
  MOESIM_CHECK(duration > Seconds{}, "a run takes time");
  std::vector<LinkUse> links(topology.links().size());
  StageLoad load(topology);
  for (const StageTraffic& stage : stages) {
    load.add(stage);
    load.fold_into(links, stage.exchanging);
  }
  for (std::size_t i = 0; i < links.size(); ++i) {
    if (!(links[i].carried > Bytes{})) continue;
    links[i].utilisation = links[i].carried / topology.links()[i].bandwidth / duration;
  }
  return links;
}

FabricUse fabric_use(const Topology& t, std::span<const LinkUse> links, Seconds duration) {
  MOESIM_CHECK(links.size() == t.links().size(), "every link has been counted");
  FabricUse use{.duration = duration};
  std::array<KindUse, kNames.size()> kinds;
  std::vector<BusyLink> busy;
  for (std::size_t i = 0; i < links.size(); ++i) {
    const Link& link = t.links()[i];
    if (!(link.bandwidth > BytesPerSecond{})) continue;
    const LinkUse& of_link = links[i];
    const std::size_t k = kind_of(t, link);
    KindUse& kind = kinds[k];
    ++kind.links;
    kind.carried += of_link.carried;
    kind.mean += of_link.utilisation;
    kind.most = std::max(kind.most, of_link.utilisation);
    if (!(of_link.carried > Bytes{})) continue;
    if (kind.used++ == 0 || of_link.exchanging > kind.exchanging) {
      kind.busiest = name_of(t, link);
      kind.exchanging = of_link.exchanging;
    }
    busy.push_back({.link = LinkId{static_cast<std::int64_t>(i)},
                    .name = {},
                    .kind = std::string(kNames[k]),
                    .bandwidth = link.bandwidth,
                    .use = of_link});
  }
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    if (kinds[k].links == 0) continue;
    kinds[k].name = kNames[k];
    kinds[k].mean /= static_cast<double>(kinds[k].links);
    use.kinds.push_back(std::move(kinds[k]));
  }
  const std::size_t shown = std::min(kShown, busy.size());
  std::partial_sort(busy.begin(), busy.begin() + static_cast<std::ptrdiff_t>(shown), busy.end(),
                    is_busier);
  for (std::size_t i = 0; i < shown; ++i) {
    busy[i].name = name_of(t, t.links()[busy[i].link.index()]);
    use.busiest.push_back(std::move(busy[i]));
  }
  return use;
}

}  // namespace moesim::serving
