// How long an exchange takes whose flows all start at once, without simulating it: the fast path.
//
// Model:   the larger of two bounds, both per link.
//          1. Busiest link: bytes over it / rate. The flows cannot be faster.
//          2. Sharing of leaf links that are narrower than the ports below them. Such a link serves
//             all its flows at one rate, whoever they are for. When each has moved V bytes,
//             t(V) = sum of min(z, V) / C has passed (z: bytes of a flow); a port p below then
//             still has r_p(V) = sum of max(z - V, 0) / C_p to do. So the last ends at
//             max over p, V of t(V) + r_p(V): a hot port waits for its share of the leaf link first
//             and then works alone. V is taken at four multiples of the mean flow.
// Error:   against the flows themselves see docs/models/flows.md: up to 3.2 % on the matrices of
//          recorded routing tried; the busiest link alone is up to 13 % low there.
// Omits:   sharing of up and down links of several leaves among each other; anything with phases.
//          Beside other traffic the answer is corrected if it hardly matters, else refused: ask
//          flow_runs.h then.
// Cost:    O(crossings of the pairs with bytes), no allocation. Layer: net.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/ids.h"
#include "core/units.h"
#include "topology/topology.h"

namespace moesim::net {

/// Built once for the pairs that may exchange bytes. Not safe to share between threads: scratch.
class ExchangeEstimate {
 public:
  struct Pair {
    GpuId from;
    GpuId to;
  };
  /// Shortest: the topology's paths. OwnNic: out by the source's own NIC and in by the
  /// destination's, whatever their rails, as kernels that send by themselves do (the topology's
  /// path where such a way has a link that is down); the slots of the GPUs are not looked at.
  enum class Ways { Shortest, OwnNic };
  /// Pairs of a GPU with itself are allowed and move nothing.
  ExchangeEstimate(const topology::Topology& topology, std::span<const Pair> pairs,
                   Ways ways = Ways::Shortest);

  /// Whether some leaf link is narrower than the ports of the pairs below it: uplinks
  /// oversubscribed, degraded, or one of several spines. If none is, the busiest link is the
  /// answer.
  [[nodiscard]] bool has_narrow_links() const { return !narrow_.empty(); }

  /// Without latency. `copies`: a count per pair.
  [[nodiscard]] Seconds time(std::span<const std::int32_t> copies, Bytes bytes_per_copy);
  /// Beside other traffic that loads the links at the given rates (FlowNetwork::load of each link).
  /// True times lie between that of free links and that of what the others leave; if the two are
  /// within 4 % of each other their middle, else nothing.
  [[nodiscard]] std::optional<Seconds> time_beside(std::span<const std::int32_t> copies,
                                                   Bytes bytes_per_copy,
                                                   std::span<const BytesPerSecond> others);
  /// The link that decided the last answer, and whether it did by sharing (2) or alone (1).
  [[nodiscard]] LinkId binding() const { return binding_; }
  [[nodiscard]] bool shared() const { return shared_; }

 private:
  /// A pair over a narrow leaf link.
  struct Crossing {
    std::int32_t pair = 0;
    std::int32_t port = 0;  ///< Place in `ports`.
  };
  struct NarrowLink {
    std::int32_t link = 0;
    std::vector<Crossing> crossings;
    std::vector<std::int32_t> ports;  ///< Links.
  };
  void add_narrow_links(const topology::Topology& topology);
  [[nodiscard]] double seconds_per_byte(std::span<const std::int32_t> copies);
  [[nodiscard]] double sharing(const NarrowLink& narrow, std::span<const std::int32_t> copies);

  std::vector<std::size_t> first_{0};  ///< [pairs + 1] into links_.
  std::vector<std::int32_t> links_;    ///< Not dominated.
  std::vector<NarrowLink> narrow_;
  std::vector<double> capacity_seconds_;  ///< [link] per byte, of free links.
  std::vector<double> seconds_;           ///< [link] per byte in the present question.
  std::vector<std::int64_t> copies_on_;   ///< [link] scratch
  /// Scratch: bytes left at each port of a narrow link, at each place V is taken at.
  std::vector<std::array<double, 4>> left_;
  LinkId binding_;
  bool shared_ = false;
};

/// Pairs of a node-de-duplicated all-to-all in the order of CopyMatrix: [ranks * domains] and then
/// [ranks * peers]; absent ones are a GPU with itself.
[[nodiscard]] std::vector<ExchangeEstimate::Pair> all_to_all_pairs(
    const topology::Topology& topology, std::span<const GpuId> group);
/// Each rank with each: [ranks * ranks].
[[nodiscard]] std::vector<ExchangeEstimate::Pair> direct_pairs(std::span<const GpuId> group);

}  // namespace moesim::net
