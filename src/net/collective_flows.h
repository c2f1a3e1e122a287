// Collectives as flows: which GPU sends how many bytes to which, in phases.
//
// A phase takes its latency, then all its transfers start at once; it ends with the last of them.
// The next phase starts then. The steps of a ring move equal bytes over the same paths one after
// the other: they are one phase with the bytes of all steps and their latency.
// Latency of n steps: n times that of the longest path; over scale-up links alone the later steps
// are taken by the running kernel and cost 0.12 of the first (operators/collectives.h).
// Bytes and algorithms: docs/models/flows.md. Omits: pipelining between phases, chunk sizes, copy
// engines and kernels slower than the links. Layer: net.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/units.h"
#include "topology/topology.h"

namespace moesim::net {

struct Transfer {
  GpuId from;
  GpuId to;
  Bytes bytes;
};

struct Phase {
  Seconds latency;
  std::vector<Transfer> transfers{};
};

struct CollectiveFlows {
  std::string algorithm;
  std::vector<Phase> phases{};
};

enum class AllReduceAlgorithm {
  /// Pair links: Direct. Several scale-up domains with equally many ranks: Hierarchical. Else Ring.
  Usual,
  Ring,          ///< 2 (n-1) steps, each rank to the next.
  Tree,          ///< Two binary trees, half of the bytes each, up and down.
  Direct,        ///< Each rank with each other at once, two steps.
  Hierarchical,  ///< Rings inside the domains, then between them, then inside.
  InNetwork,     ///< The scale-up switch adds up and hands out: (n+1)/n of the bytes each way.
};

/// All ranks start with `bytes` and end with their sum. One rank: no phases.
/// Preconditions (checked), here and below: the GPUs differ, bytes > 0.
[[nodiscard]] CollectiveFlows all_reduce_flows(
    const topology::Topology& topology, std::span<const GpuId> group, Bytes bytes,
    AllReduceAlgorithm algorithm = AllReduceAlgorithm::Usual);
/// Each rank contributes bytes / n and ends with `bytes`; reduce-scatter is the way back, with the
/// same flows turned round.
[[nodiscard]] CollectiveFlows all_gather_flows(const topology::Topology& topology,
                                               std::span<const GpuId> group, Bytes bytes);
[[nodiscard]] CollectiveFlows reduce_scatter_flows(const topology::Topology& topology,
                                                   std::span<const GpuId> group, Bytes bytes);
/// From the first of the group to all others, as a chain in group order (weights to new replicas).
[[nodiscard]] CollectiveFlows broadcast_flows(const topology::Topology& topology,
                                              std::span<const GpuId> group, Bytes bytes);
/// Messages between pairs, all at once: point to point, KV caches from prefill to decode ranks,
/// experts that move. Pairs of a GPU with itself and empty messages are left out.
[[nodiscard]] CollectiveFlows transfer_flows(const topology::Topology& topology,
                                             std::span<const Transfer> transfers);

/// Copies of one MoE layer's tokens, row-major counts. `to_domain` and `inside` de-duplicated per
/// scale-up domain (DeepEP's high-throughput kernels): once to each remote domain, to the rank at
/// the sender's own position there (modulo the domain's size), which hands them on.
struct CopyMatrix {
  std::int64_t domains = 0;
  std::int64_t peers = 0;                   ///< Ranks of the largest domain.
  std::span<const std::int32_t> to_domain;  ///< [ranks * domains]; own domain 0.
  std::span<const std::int32_t> inside;     ///< [ranks * peers] to the rank at a position.
};
/// All flows start at once: ranks forward while they still receive. `group`: GPU of each rank.
[[nodiscard]] CollectiveFlows all_to_all_flows(const topology::Topology& topology,
                                               std::span<const GpuId> group,
                                               const CopyMatrix& copies, Bytes bytes_per_copy);
/// Each rank straight to each other (DeepEP's low-latency kernels; `copies`: [ranks * ranks], one
/// per token and chosen expert; the diagonal moves nothing).
[[nodiscard]] CollectiveFlows direct_all_to_all_flows(const topology::Topology& topology,
                                                      std::span<const GpuId> group,
                                                      std::span<const std::int32_t> copies,
                                                      Bytes bytes_per_copy);

/// Latency of `steps` steps between any two neighbours of `transfers`.
[[nodiscard]] Seconds steps_latency(const topology::Topology& topology,
                                    std::span<const Transfer> transfers, double steps);

}  // namespace moesim::net
