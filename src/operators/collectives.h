// Collectives of a group of GPUs, alone on the topology: latency of the steps plus the busiest
// link.
//
// Model:   steps of the algorithm over the paths of the topology; its bytes leave at the rate of
// the
//          link that carries most of them. A step over NICs or PCIe takes the longest path's
//          latency; over scale-up links the first does and each later one 0.12 of it.
// Omits:   start of the kernel, slow protocols of small messages, in-network reduction, pipelining
//          between the phases of hierarchical forms. Formulas and known error:
//          docs/models/collectives.md. Flows of several kinds that share links are the business of
//          `net`.
// Layer:   operators.
#pragma once

#include <span>
#include <string>

#include "core/ids.h"
#include "core/units.h"
#include "operators/all_to_all.h"  // The contract: one header for all communication.
#include "topology/topology.h"

namespace moesim::operators {

/// t = latency + bytes * seconds_per_byte: a collective of one group, affine in the message size.
struct CollectiveCost {
  Seconds latency{};
  double seconds_per_byte = 0;
  LinkId busiest{};
  std::string algorithm{};  ///< "none", "ring", "direct", "hierarchical ring", "point to point"
  [[nodiscard]] Seconds time(Bytes bytes) const {
    return latency + bytes / kByte * seconds_per_byte * kSecond;
  }
};

/// Ring all-reduce of `bytes` held by each rank: 2 (n-1) steps, 2 (n-1)/n of the bytes over the
/// busiest link. Groups over several scale-up domains reduce inside each first and then exchange
/// shares between domains, all NICs at work; with uneven domains, one flat ring in group order.
/// Groups joined by pair links (xGMI, bridges) use all of them at once ("direct", two steps).
/// One rank: zero. Precondition: the GPUs differ.
[[nodiscard]] CollectiveCost all_reduce(const topology::Topology& topology,
                                        std::span<const GpuId> group);
/// All-reduce in two steps, each rank exchanging with every other at once, as the serving engines'
/// own kernels do inside a scale-up domain: the bytes of the ring, latency of two steps.
/// Precondition: all of the group share scale-up links.
[[nodiscard]] CollectiveCost direct_all_reduce(const topology::Topology& topology,
                                               std::span<const GpuId> group);
/// Each rank contributes bytes/n and ends with `bytes`.
[[nodiscard]] CollectiveCost all_gather(const topology::Topology& topology,
                                        std::span<const GpuId> group);
/// Each rank starts with `bytes` and ends with its reduced bytes/n.
[[nodiscard]] CollectiveCost reduce_scatter(const topology::Topology& topology,
                                            std::span<const GpuId> group);
/// One message over the path; zero from a GPU to itself.
[[nodiscard]] CollectiveCost point_to_point(const topology::Topology& topology, GpuId from,
                                            GpuId to);

}  // namespace moesim::operators
