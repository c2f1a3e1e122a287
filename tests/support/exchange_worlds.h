// Clusters and placements on which exchanges of recorded routing are compared with their flows.
//
// Layer: tests.
#pragma once

#include <cstdint>
#include <vector>

#include "strategies/eplb.h"
#include "tests/support/placement_bench.h"
#include "tests/support/toy_worlds.h"
#include "topology/cluster.h"

namespace moesim::test {

/// Rails below one leaf each; rails of small leaf groups, 2:1; leaves of whole nodes: 2:1, 1:1, 1:1
/// below four spines, 1:1 with one uplink at half of its rate.
enum class Wiring { Rails, NarrowRails, NarrowLeaves, WideLeaves, Spines, DegradedLeaf };

inline const char* word_of(Wiring wiring) {
  switch (wiring) {
    case Wiring::Rails:
      return "rails";
    case Wiring::NarrowRails:
      return "rails 2:1";
    case Wiring::NarrowLeaves:
      return "leaves 2:1";
    case Wiring::WideLeaves:
      return "leaves 1:1";
    case Wiring::Spines:
      return "4 spines 1:1";
    case Wiring::DegradedLeaf:
      break;
  }
  return "degraded";
}

/// Nodes of 8 GPUs with NVLink of 450 GB/s and NICs of 400 Gb/s, usable shares of an H100 cluster.
inline topology::Cluster exchange_cluster(std::int64_t nodes, Wiring wiring) {
  using namespace moesim::literals;
  topology::Cluster c = toy_cluster(nodes, 8);
  c.scale_up.bandwidth = 373_GBps;
  c.pcie.bandwidth = 55_GBps;
  c.nic.bandwidth = 45_GBps;
  const std::int64_t group = nodes <= 4 ? 2 : nodes <= 9 ? 3 : nodes <= 18 ? 4 : 8;
  if (wiring == Wiring::NarrowRails) c.leaf_ports = group;
  if (wiring != Wiring::Rails && wiring != Wiring::NarrowRails) {
    c.scale_out = topology::ScaleOut::LeafSpine;
    c.leaf_ports = 8 * group;
  }
  if (wiring == Wiring::NarrowRails || wiring == Wiring::NarrowLeaves) c.oversubscription = 2.0;
  if (wiring == Wiring::Spines) c.spine_switches = 4;
  if (wiring == Wiring::DegradedLeaf) c.degraded = {{.link = "leaf1 - spine", .share = 0.5}};
  return c;
}

/// Expert of each slot: balanced by load, or one after the other.
inline std::vector<std::int32_t> bench_placement(const BenchWorkload& w, std::size_t traced_layer,
                                                 std::int64_t slots, std::int64_t ranks,
                                                 bool balanced) {
  if (balanced) {
    const auto& load = w.load[static_cast<std::size_t>(w.trace_layers[traced_layer])];
    return strategies::eplb_layer(load, {.slots = slots, .ranks = ranks});
  }
  std::vector<std::int32_t> contiguous;
  for (std::int64_t s = 0; s < slots; ++s) {
    contiguous.push_back(static_cast<std::int32_t>(s * kBenchExperts / slots));
  }
  return contiguous;
}

}  // namespace moesim::test
