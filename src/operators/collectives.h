// Collectives of a group of GPUs, alone on the topology: latency of the steps plus the busiest
// link.
//
// Formulas and what they omit: docs/models/collectives.md. Flows of several kinds that share links
// are the business of `net`.
// Layer: operators.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/units.h"
#include "topology/topology.h"

namespace moesim::operators {

/// t = latency + bytes * seconds_per_byte: a collective of one group, affine in the message size.
struct CollectiveCost {
  Seconds latency;
  double seconds_per_byte = 0;
  LinkId busiest;
  std::string algorithm;  ///< "ring", "hierarchical ring"
  [[nodiscard]] Seconds time(Bytes bytes) const {
    return latency + bytes / kByte * seconds_per_byte * kSecond;
  }
};

/// Ring all-reduce of `bytes` held by each rank: 2 (n-1) steps, 2 (n-1)/n of the bytes over the
/// busiest link; groups over several nodes reduce inside each node first. One rank: zero.
[[nodiscard]] CollectiveCost all_reduce(const topology::Topology& topology,
                                        std::span<const GpuId> group);
/// Each rank contributes bytes/n and ends with `bytes`.
[[nodiscard]] CollectiveCost all_gather(const topology::Topology& topology,
                                        std::span<const GpuId> group);
[[nodiscard]] CollectiveCost reduce_scatter(const topology::Topology& topology,
                                            std::span<const GpuId> group);
[[nodiscard]] CollectiveCost point_to_point(const topology::Topology& topology, GpuId from,
                                            GpuId to);

/// Token copies of one MoE layer between the ranks of an expert group, node-de-duplicated: a token
/// goes at most once to each remote node (to the GPU of its own rail there), and from there over
/// the scale-up fabric to each GPU that holds one of its experts. Row-major, counts of tokens.
struct TokenTraffic {
  std::int64_t ranks = 0;
  std::int64_t nodes = 0;  ///< Scale-up domains of the group.
  std::span<const std::int32_t>
      to_node;  ///< [ranks * nodes] copies rank -> remote domain; own domain 0.
  std::span<const std::int32_t>
      scale_up_in;  ///< [ranks] copies that reach each rank over scale-up.
  std::span<const std::int32_t>
      scale_up_out;  ///< [ranks] copies each rank (as source or relay) sends over scale-up.
};

/// Dispatch and combine of one expert group. Built once; time() is O(ranks * nodes), no allocation.
class AllToAll {
 public:
  /// `group`: GPU of each rank of the expert group, in rank order. Throws nothing; a group that
  /// spans no remote domain has no scale-out term.
  AllToAll(const topology::Topology& topology, std::span<const GpuId> group);
  /// Time of moving `bytes_per_copy` for each copy: latency + busiest of {NIC out, NIC in, leaf
  /// uplink and downlink, scale-up out, scale-up in}. Not const in cost only: scratch is inside.
  [[nodiscard]] Seconds time(const TokenTraffic& traffic, Bytes bytes_per_copy);
  /// Scale-up domain of each rank, numbered from 0 in order of appearance.
  [[nodiscard]] std::span<const std::int32_t> domain_of_rank() const { return domain_of_rank_; }
  [[nodiscard]] std::int64_t domains() const { return domains_; }

 private:
  std::vector<std::int32_t> domain_of_rank_;
  std::vector<std::int32_t> rail_of_rank_;  ///< Position of the rank's NIC inside its domain.
  std::vector<std::int32_t> leaf_of_rank_;
  std::vector<std::int64_t> in_, leaf_up_, leaf_down_;  ///< Scratch, sized once.
  std::int64_t domains_ = 0;
  std::int64_t rails_ = 0;
  std::int64_t leaves_ = 0;
  double nic_seconds_per_byte_ = 0;
  double scale_up_seconds_per_byte_ = 0;
  double leaf_seconds_per_byte_ = 0;
  Seconds scale_up_latency_;
  Seconds scale_out_latency_;
};

}  // namespace moesim::operators
