// What runs take for an exchange against its flows, on matrices of recorded routing.
#include "serving/token_exchange.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "net/collective_flows.h"
#include "net/flow_runs.h"
#include "operators/deepep_low_latency_curve.h"
#include "operators/deepep_normal_curve.h"
#include "tests/support/catch.h"
#include "tests/support/exchange_worlds.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using placement::Copies;
using placement::LayerTraffic;
using test::BenchCopies;
using test::BenchWorkload;
using test::Wiring;

/// Copies per pick need DeepEP's kernels; their curves say nothing about the links.
void add_curves(Deployment& d) {
  std::vector<catalog::Curve> curves;
  const auto add = [&](const char* operation, auto specs) {
    for (const char* phase : {"dispatch", "combine"}) {
      catalog::Curve curve;
      curve.key = {
          .operation = operation, .gpu = d.cluster.gpu.name, .engine = "deepep", .variant = phase};
      for (const auto& spec : specs) {
        curve.coefficients.push_back({std::string(spec.name), spec.start});
      }
      curves.push_back(curve);
    }
  };
  add("deepep_normal", operators::DeepEpNormalCurve::coefficients());
  add("deepep_low_latency", operators::DeepEpLowLatencyCurve::coefficients());
  d.curves = std::make_shared<const catalog::CurveSet>(curves, std::vector{d.cluster.gpu});
}

Deployment deployment_on(const topology::Cluster& cluster) {
  catalog::Model model = test::toy_moe_model();
  model.hidden = 7168;
  model.kinds[0].feed_forward.routed_experts = test::kBenchExperts;
  model.kinds[0].feed_forward.top_k = test::kBenchTopK;
  Deployment d = test::toy_deployment(model, {.tp = 1, .dp = cluster.gpus(), .ep = cluster.gpus()});
  d.cluster = cluster;
  add_curves(d);
  return d;
}

/// As the dispatcher counts it.
LayerTraffic traffic_of(const BenchCopies& copies, std::size_t ranks, Copies kind) {
  const std::size_t nodes = ranks / 8;
  LayerTraffic t;
  t.to_node = copies.to_node;
  t.scale_up_in.assign(ranks, 0);
  t.scale_up_out.assign(ranks, 0);
  t.network_in.assign(ranks, 0);
  if (kind == Copies::Deduplicated) {
    for (std::size_t from = 0; from < ranks; ++from) {
      for (std::size_t peer = 0; peer < 8; ++peer) {
        const std::int32_t count = copies.inside[from * 8 + peer];
        t.scale_up_out[from] += count;
        t.scale_up_in[from / 8 * 8 + peer] += count;
      }
    }
    return t;
  }
  t.to_node.assign(ranks * nodes, 0);
  t.between_ranks.assign(ranks * ranks, 0);
  for (std::size_t from = 0; from < ranks; ++from) {
    for (std::size_t to = 0; to < ranks; ++to) {
      const std::int32_t count = copies.direct[from * ranks + to];
      if (from / 8 == to / 8) {
        t.scale_up_out[from] += count;
        t.scale_up_in[to] += count;
      } else {
        t.to_node[from * nodes + to / 8] += count;
        t.network_in[to] += count;
        t.between_ranks[from * ranks + to] = count;
      }
    }
  }
  return t;
}

struct Agreement {
  std::int64_t cases = 0;
  double sum = 0;
  double sum_off = 0;
  double worst = 0;
  void add(double off) {
    ++cases;
    sum += off;
    sum_off += std::abs(off);
    if (std::abs(off) > std::abs(worst)) worst = off;
  }
  [[nodiscard]] double mean() const { return sum / static_cast<double>(cases); }
  [[nodiscard]] double mean_off() const { return sum_off / static_cast<double>(cases); }
};

/// Copies straight to their ranks: out by the source's own NIC whatever its rail, as GPUs that
/// start the sends themselves do. Paths of the topology change rails inside the source node
/// instead.
class StraightFlows {
 public:
  explicit StraightFlows(const topology::Topology& topology)
      : topology_(topology),
        network_(net::link_capacities(topology), net::dominated_links(topology)),
        gpus_(static_cast<std::size_t>(topology.cluster().gpus())) {
    for (std::int64_t from = 0; from < topology.cluster().gpus(); ++from) {
      for (std::int64_t to = 0; to < topology.cluster().gpus(); ++to) {
        paths_.push_back(from == to ? net::PathId{} : add_path(GpuId{from}, GpuId{to}));
      }
    }
  }

  Seconds time(std::span<const std::int32_t> copies, Bytes copy) {
    const SimTime begin = network_.last_change();
    for (std::size_t p = 0; p < copies.size(); ++p) {
      if (copies[p] == 0 || p / gpus_ == p % gpus_) continue;
      network_.start(begin, paths_[p], copies[p] * copy, p);
    }
    network_.rerate(begin);
    SimTime end = begin;
    while (network_.active() > 0) {
      end = network_.next_end();
      (void)network_.end_due(end);
      network_.rerate(end);
    }
    return (end - begin).seconds();
  }

 private:
  net::PathId add_path(GpuId from, GpuId to) {
    if (topology_.shares_scale_up(from, to)) return network_.add_path(topology_.path(from, to));
    const auto out = topology_.attachment(from);
    const auto in = topology_.attachment(to);
    if (out->leaf == in->leaf) return network_.add_path(std::vector{out->port_out, in->port_in});
    const auto links = topology_.links();
    std::vector<LinkId> path{out->port_out, *in->downlink, in->port_in};
    const std::int32_t leaf = links[out->port_out.index()].to;
    const std::int32_t spine = links[in->downlink->index()].from;
    for (std::size_t l = 0; l < links.size(); ++l) {
      if (links[l].from != leaf || links[l].to != spine) continue;
      path.push_back(LinkId{static_cast<std::int64_t>(l)});
    }
    return network_.add_path(path);
  }

  const topology::Topology& topology_;
  net::FlowNetwork network_;
  std::size_t gpus_;
  std::vector<net::PathId> paths_;
};

/// One cluster and expert group.
class Bench {
 public:
  Bench(std::int64_t ranks, Wiring wiring)
      : deployment_(deployment_on(test::exchange_cluster(ranks / 8, wiring))),
        kernels_(deployment_),
        topology_(deployment_.cluster),
        fabric_(topology_),
        straight_(topology_),
        group_(group(ranks)),
        exchange_(deployment_, kernels_, topology_, group_, test::kBenchTopK, test::kBenchExperts) {
  }

  /// How far off the links' time of a dispatch is.
  double off(const BenchCopies& copies, Copies kind) {
    const Bytes copy = exchange_.dispatch_copy(kind);
    const Seconds full =
        kind == Copies::PerPick ? straight_.time(copies.direct, copy) : relayed_time(copies, copy);
    const operators::LinkLoad load =
        exchange_.load(traffic_of(copies, group_.size(), kind), kind, 1);
    return copy / kByte * load.busiest() * kSecond / full - 1.0;
  }

 private:
  Seconds relayed_time(const BenchCopies& copies, Bytes copy) {
    const auto flows =
        net::all_to_all_flows(topology_, group_,
                              {.domains = static_cast<std::int64_t>(group_.size() / 8),
                               .peers = 8,
                               .to_domain = copies.to_node,
                               .inside = copies.inside},
                              copy);
    return net::time_alone(fabric_, flows) - flows.phases[0].latency;
  }
  static std::vector<GpuId> group(std::int64_t ranks) {
    std::vector<GpuId> all;
    for (std::int64_t g = 0; g < ranks; ++g) all.emplace_back(g);
    return all;
  }

  Deployment deployment_;
  Kernels kernels_;
  topology::Topology topology_;
  net::Fabric fabric_;
  StraightFlows straight_;
  std::vector<GpuId> group_;
  TokenExchange exchange_;
};

/// All workloads on some of their 16 layers, both placements, both ways of spreading tokens.
Agreement compare(Bench& bench, const std::vector<BenchWorkload>& workloads, std::int64_t ranks,
                  Copies kind) {
  Agreement agreement;
  const std::size_t step = ranks == 32 ? 4 : ranks == 72 ? 8 : 16;
  for (const BenchWorkload& w : workloads) {
    for (std::size_t layer = 0; layer < w.trace_layers.size(); layer += step) {
      for (const bool balanced : {false, true}) {
        const auto experts =
            test::bench_placement(w, layer, ranks == 320 ? 320 : 288, ranks, balanced);
        for (const bool by_request : {false, true}) {
          agreement.add(bench.off(count_copies(w, layer, experts, ranks, by_request), kind));
        }
      }
    }
  }
  return agreement;
}

TEST_CASE("token exchange: the links' time in runs agrees with the flows", "[serving][oracle]") {
  const auto names = test::bench_workload_names();
  if (names.empty()) {
    WARN("skipped: no placement_bench beside the checkout (MOESIM_SHARED_DIR)");
    return;
  }
  std::vector<BenchWorkload> workloads;
  for (const auto& name : names) workloads.push_back(test::read_bench_workload(name, "trace_eval"));
  std::string table;
  for (const std::int64_t ranks : {32, 72, 144, 320}) {
    for (const Wiring wiring : {Wiring::Rails, Wiring::NarrowRails, Wiring::NarrowLeaves,
                                Wiring::WideLeaves, Wiring::Spines, Wiring::DegradedLeaf}) {
      Bench bench(ranks, wiring);
      for (const Copies kind : {Copies::Deduplicated, Copies::PerPick}) {
        const bool once = kind == Copies::Deduplicated;
        const Agreement agreement = compare(bench, workloads, ranks, kind);
        char line[160];
        std::snprintf(line, sizeof(line),
                      "%3d %-12s %-8s %3d: off %.2f %% mean (%+.2f %%), %+.2f %% worst\n",
                      static_cast<int>(ranks), word_of(wiring), once ? "once" : "per pick",
                      static_cast<int>(agreement.cases), 100 * agreement.mean_off(),
                      100 * agreement.mean(), 100 * agreement.worst);
        table += line;
        INFO(line);
        CHECK(agreement.mean_off() < 0.03);
        CHECK(std::abs(agreement.worst) < 0.08);
      }
    }
  }
  WARN(table);
}

TEST_CASE("token exchange: groups that cross the same narrow leaves share them") {
  // Two nodes below each leaf, uplinks of 16 NICs * 45 GB/s / 4 = 180 GB/s. The group is one node
  // of either leaf; each of its ranks sends 100 copies to the other: 800 copies up a leaf.
  topology::Cluster cluster = test::exchange_cluster(4, Wiring::NarrowLeaves);
  const auto network = [&](double oversubscription, double neighbours) {
    cluster.oversubscription = oversubscription;
    const Deployment d = deployment_on(cluster);
    const topology::Topology topology(d.cluster);
    Kernels kernels(d);
    std::vector<GpuId> group;
    for (const std::int64_t first : {0, 16}) {
      for (std::int64_t g = 0; g < 8; ++g) group.emplace_back(first + g);
    }
    TokenExchange exchange(d, kernels, topology, group, test::kBenchTopK, test::kBenchExperts);
    LayerTraffic t;
    for (std::size_t r = 0; r < group.size(); ++r) {
      t.to_node.push_back(r < 8 ? 0 : 100);
      t.to_node.push_back(r < 8 ? 100 : 0);
    }
    t.scale_up_in.assign(group.size(), 0);
    t.scale_up_out.assign(group.size(), 0);
    t.network_in.assign(group.size(), 0);
    exchange.set_neighbours(neighbours);
    return exchange.load(t, Copies::Deduplicated, 100).network;
  };
  CHECK(network(4.0, 0.0) == Approx(800 / 180e9));
  // Another such group at the same time gets half of the uplink; half of the time, a third.
  CHECK(network(4.0, 1.0) == Approx(1600 / 180e9));
  CHECK(network(4.0, 0.5) == Approx(1200 / 180e9));
  // Uplinks as wide as the ports: the port binds (100 copies over 45 GB/s), whoever else is there.
  CHECK(network(1.0, 1.0) == Approx(100 / 45e9));
}

}  // namespace
}  // namespace moesim::serving
