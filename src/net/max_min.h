// Rates of flows that share directed links max-min fairly, solved from nothing.
//
// Model:   progressive filling. All rates grow together (each flow in proportion to its weight)
//          until a link is full; its flows are fixed at that level, the rest grow on. In the end
//          every flow has a bottleneck: a full link on which no flow has a higher level.
// Source:  Bertsekas, Gallager, "Data Networks", 1992, section 6.5.2.
// Omits:   time. flow_network.h keeps rates as flows come and go; this is its reference and the
//          tool for a single question.
// Cost:    O(crossings + links log links); a lazy heap of links, flat arrays kept between calls.
// Layer:   net.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ids.h"
#include "core/units.h"

namespace moesim::net {

/// Flows by the links they cross, one after the other.
class FlowSet {
 public:
  /// Preconditions (checked): a path, a link at most once in it; weight > 0.
  void add(std::span<const LinkId> path, double weight = 1.0);
  void clear();
  [[nodiscard]] std::size_t size() const { return weight_.size(); }
  [[nodiscard]] std::span<const LinkId> path(std::size_t flow) const {
    return {links_.data() + first_[flow], first_[flow + 1] - first_[flow]};
  }
  [[nodiscard]] double weight(std::size_t flow) const { return weight_[flow]; }
  [[nodiscard]] std::size_t crossings() const { return links_.size(); }

 private:
  std::vector<LinkId> links_;
  std::vector<std::size_t> first_{0};  ///< [flows + 1]
  std::vector<double> weight_;
};

/// Solves for one set of links. Not safe to share between threads: scratch is inside.
class MaxMin {
 public:
  /// A link of rate 0 is down. Precondition (checked): capacities are finite, none negative.
  explicit MaxMin(std::span<const BytesPerSecond> capacity);
  /// Rate of each flow. The result is valid until the next call. Precondition (checked): paths of
  /// links that exist and are up.
  [[nodiscard]] std::span<const BytesPerSecond> solve(const FlowSet& flows);
  /// The link that fixed each flow of the last call.
  [[nodiscard]] std::span<const LinkId> bottlenecks() const { return bottleneck_; }

 private:
  struct Share {
    double level = 0;  ///< Left over per unit of weight when pushed; it only grows.
    std::int32_t link = 0;
  };
  void index_flows(const FlowSet& flows);
  void push(Share share);
  Share pop();
  [[nodiscard]] double level_of(std::size_t link) const { return left_[link] / weight_[link]; }
  void fix_flows_of(std::size_t link, double level, const FlowSet& flows);

  std::vector<double> capacity_;
  std::vector<double> left_;             ///< [link] capacity not taken by fixed flows.
  std::vector<double> weight_;           ///< [link] of the flows not fixed.
  std::vector<std::int32_t> open_;       ///< [link] flows not fixed.
  std::vector<std::size_t> first_flow_;  ///< [links + 1] into flow_on_link_.
  std::vector<std::int32_t> flow_on_link_;
  std::vector<Share> heap_;
  std::vector<BytesPerSecond> rate_;
  std::vector<LinkId> bottleneck_;
  std::vector<std::uint8_t> fixed_;
};

}  // namespace moesim::net
