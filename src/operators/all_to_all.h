// Dispatch and combine of an expert group: tokens to the ranks of their experts and back.
//
// Model:   without curves latency + bytes per copy * busiest of {NIC out, NIC in, leaf uplink, leaf
//          downlink, scale-up out, scale-up in}; with measured curves of the kernels the same links
//          at their peak rates, and the curve's latencies, copying and efficiencies.
// Omits:   order of messages, contention inside the switches; flow-level sharing is the business
//          of `net` (max-min sharing takes 0-21 % longer on skewed traffic).
//          Formula, known error: docs/models/collectives.md.
// Layer:   operators.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ids.h"
#include "core/units.h"
#include "operators/exchange_model.h"
#include "topology/topology.h"

namespace moesim::operators {

/// Token copies of one MoE layer between the ranks of an expert group. Row-major, counts of tokens.
///
/// Normal and NvLink: node-de-duplicated. A token goes at most once to each remote node (to the GPU
/// of its own rail there), and from there over the scale-up fabric to each GPU that holds one of
/// its experts. LowLatency: a copy for each pick, straight to the rank that holds the expert.
struct TokenTraffic {
  std::int64_t ranks = 0;
  std::int64_t nodes = 0;  ///< Scale-up domains of the group.
  std::span<const std::int32_t>
      to_node{};  ///< [ranks * nodes] copies rank -> remote domain; own domain 0.
  std::span<const std::int32_t>
      scale_up_in{};  ///< [ranks] copies that reach each rank over scale-up.
  std::span<const std::int32_t>
      scale_up_out{};  ///< [ranks] copies each rank (as source or relay) sends over scale-up.
  std::span<const std::int32_t>
      network_in{};         ///< [ranks] LowLatency: copies that reach each rank from other domains.
  std::int64_t tokens = 0;  ///< Of the source rank that has most; read by measured curves only.
};

/// What one layer's traffic asks of the links, the same for dispatch and combine.
struct LinkLoad {
  double scale_up = 0;  ///< Seconds a copied byte costs on the busiest link of its kind, at the
  double network = 0;   ///< links' usable rates.
  double copies = 0;    ///< Most copies out of or into a rank over scale-up.
  double tokens = 0;
  [[nodiscard]] double busiest() const { return scale_up > network ? scale_up : network; }
};

/// Copies that left and entered the domains by each NIC of the group; empty inside one domain.
struct NicCopies {
  std::span<const std::int32_t> out;
  std::span<const std::int32_t> in;
};

/// Dispatch and combine of one expert group. Built once; load() is O(ranks * nodes) (O(ranks) in a
/// single domain), no allocation; time() of a load is O(1).
class AllToAll {
 public:
  /// `group`: GPU of each rank of the expert group, in rank order. Throws nothing; a group that
  /// spans no remote domain has no scale-out term. Precondition: NvLink stays in one domain.
  AllToAll(const topology::Topology& topology, std::span<const GpuId> group,
           const ExchangeModel& model = {});

  /// Not const in cost only: scratch is inside. Entries of `to_node` for a rank's own domain must
  /// be 0; the sum of all copies must stay below 2^31.
  [[nodiscard]] LinkLoad load(const TokenTraffic& traffic);
  /// Time of moving `bytes_per_copy` for each copy. The latency is due without any copy as well:
  /// the ranks still meet. Combine is the same traffic backwards: without curves the same time.
  [[nodiscard]] Seconds time(const LinkLoad& load, Bytes bytes_per_copy, ExchangePhase phase) const;
  [[nodiscard]] Seconds time(const TokenTraffic& traffic, Bytes bytes_per_copy,
                             ExchangePhase phase = ExchangePhase::Dispatch) {
    return time(load(traffic), bytes_per_copy, phase);
  }
  /// Seconds one copied byte costs on the busiest link, without latency: for models of their own.
  [[nodiscard]] double busiest_seconds_per_byte(const TokenTraffic& traffic) {
    return load(traffic).busiest();
  }
  /// Of an exchange without curves.
  [[nodiscard]] Seconds latency() const { return latency_; }
  [[nodiscard]] AllToAllKind kind() const { return model_.kind; }
  /// Of the last load(): valid until the next.
  [[nodiscard]] NicCopies nic_copies() const { return {.out = port_out_, .in = port_in_}; }
  /// At the links' peak rates, not the usable ones.
  [[nodiscard]] double scale_up_seconds_per_byte() const {
    return scale_up_seconds_per_byte_ * scale_up_efficiency_;
  }
  [[nodiscard]] std::vector<double> nic_seconds_per_byte() const;
  /// Scale-up domain of each rank, numbered from 0 in order of appearance.
  [[nodiscard]] std::span<const std::int32_t> domain_of_rank() const { return domain_of_rank_; }
  [[nodiscard]] std::int64_t domains() const { return domains_; }

 private:
  void set_scale_up(const topology::Topology& topology, std::span<const GpuId> group);
  void set_nics(const topology::Topology& topology, std::span<const GpuId> group);
  void set_leaves(const topology::Topology& topology);
  void set_crossing_shares();
  void set_scale_out_latency(const topology::Topology& topology, std::span<const GpuId> group);
  void set_direct_latency(const topology::Topology& topology, std::span<const GpuId> group);
  void clear_scratch();
  void count_rank(const std::int32_t* row, std::size_t rank);
  void count_direct(const TokenTraffic& traffic);
  void count_relayed(const TokenTraffic& traffic);
  [[nodiscard]] double network_seconds_per_byte(const TokenTraffic& traffic);
  [[nodiscard]] double scale_up_copies(const TokenTraffic& traffic) const;

  ExchangeModel model_;
  double scale_up_efficiency_ = 1;  ///< Usable share of the peak: curves have their own.
  double network_efficiency_ = 1;
  std::int64_t domains_ = 0;
  std::int64_t places_ = 0;   ///< NICs of the group in its largest domain.
  bool slot_shared_ = false;  ///< Scale-up and NIC traffic share the GPU's PCIe slot.
  bool crosses_spine_ = false;
  Seconds latency_;
  double pcie_seconds_per_byte_ = 0;
  double scale_up_seconds_per_byte_ = 0;

  std::vector<std::int32_t> domain_of_rank_;
  std::vector<std::int32_t> place_of_rank_;  ///< Position of the rank's NIC inside its domain.
  std::vector<std::int32_t> port_of_rank_;   ///< Scratch index of the rank's own NIC.
  std::vector<std::int32_t> leaf_of_rank_;
  std::vector<std::int32_t> leaf_of_port_;
  std::vector<std::int32_t> domain_of_port_;
  /// [place * domains + domain]: the NIC in `domain` that traffic from NICs of `place` enters by.
  std::vector<std::int32_t> entry_port_;
  std::vector<std::int32_t> entry_leaf_;
  std::vector<std::int32_t> ranks_on_port_;
  std::vector<double> port_seconds_per_byte_;  ///< Slower direction.
  std::vector<double> leaf_seconds_per_byte_;  ///< 0: no spine above it.
  /// LowLatency: share of a domain's NICs below other leaves [leaf * domains + domain], and of
  /// what enters a rank that comes from other leaves [rank].
  std::vector<double> crossing_share_;
  std::vector<double> crossing_in_;
  /// Scratch, sized once: copies per entry (all, and those that cross the spine), per port and
  /// leaf.
  std::vector<std::int32_t> entry_in_, entry_crossing_;
  std::vector<std::int32_t> port_in_, port_out_, rank_out_;
  std::vector<double> leaf_up_, leaf_down_;
};

}  // namespace moesim::operators
