// Dispatch and combine of an expert group: tokens to the ranks of their experts and back.
//
// Model:   latency + bytes per copy * busiest of {NIC out, NIC in, leaf uplink, leaf downlink,
//          scale-up out, scale-up in}; copies are de-duplicated per scale-up domain.
// Omits:   order of messages, contention inside the switches, kernel start; flow-level sharing is
//          the business of `net` (max-min sharing takes 0-21 % longer on skewed traffic).
//          Formula, known error: docs/models/collectives.md.
// Layer:   operators.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ids.h"
#include "core/units.h"
#include "topology/topology.h"

namespace moesim::operators {

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

/// Dispatch and combine of one expert group. Built once; time() is O(ranks * nodes) (O(ranks) in a
/// single domain), no allocation. Combine is the same traffic backwards: the same time.
class AllToAll {
 public:
  /// `group`: GPU of each rank of the expert group, in rank order. Throws nothing; a group that
  /// spans no remote domain has no scale-out term.
  AllToAll(const topology::Topology& topology, std::span<const GpuId> group);
  /// Time of moving `bytes_per_copy` for each copy: latency + busiest of {NIC out, NIC in, leaf
  /// uplink and downlink, scale-up out, scale-up in}. The latency is due without any copy as well:
  /// the ranks still meet. Not const in cost only: scratch is inside. Entries of `to_node` for a
  /// rank's own domain must be 0; the sum of all copies must stay below 2^31.
  [[nodiscard]] Seconds time(const TokenTraffic& traffic, Bytes bytes_per_copy);
  /// Seconds one copied byte costs on the busiest link, without latency: for models of their own.
  [[nodiscard]] double busiest_seconds_per_byte(const TokenTraffic& traffic);
  [[nodiscard]] Seconds latency() const { return latency_; }
  /// Scale-up domain of each rank, numbered from 0 in order of appearance.
  [[nodiscard]] std::span<const std::int32_t> domain_of_rank() const { return domain_of_rank_; }
  [[nodiscard]] std::int64_t domains() const { return domains_; }

 private:
  void set_scale_up(const topology::Topology& topology, std::span<const GpuId> group);
  void set_nics(const topology::Topology& topology, std::span<const GpuId> group);
  void set_leaves(const topology::Topology& topology);
  void set_scale_out_latency(const topology::Topology& topology, std::span<const GpuId> group);
  void count_rank(const std::int32_t* row, std::size_t rank);
  [[nodiscard]] double scale_out_seconds_per_byte(const TokenTraffic& traffic);

  std::int64_t domains_ = 0;
  std::int64_t places_ = 0;   ///< NICs of the group in its largest domain.
  bool slot_shared_ = false;  ///< Scale-up and NIC traffic share the GPU's PCIe slot.
  bool crosses_spine_ = false;
  Seconds latency_;
  double nic_seconds_per_byte_ = 0;
  double pcie_seconds_per_byte_ = 0;
  double scale_up_seconds_per_byte_ = 0;

  std::vector<std::int32_t> domain_of_rank_;
  std::vector<std::int32_t> place_of_rank_;  ///< Position of the rank's NIC inside its domain.
  std::vector<std::int32_t> port_of_rank_;   ///< Scratch index of the rank's own NIC.
  std::vector<std::int32_t> leaf_of_rank_;
  /// [place * domains + domain]: the NIC in `domain` that traffic from NICs of `place` enters by.
  std::vector<std::int32_t> entry_port_;
  std::vector<std::int32_t> entry_leaf_;
  std::vector<std::int32_t> ranks_on_port_;
  std::vector<double> leaf_seconds_per_byte_;
  /// Scratch, sized once: copies per entry (all, and those that cross the spine), per port and
  /// leaf.
  std::vector<std::int32_t> entry_in_, entry_crossing_;
  std::vector<std::int32_t> port_in_, port_out_, rank_out_, leaf_up_, leaf_down_;
};

}  // namespace moesim::operators
