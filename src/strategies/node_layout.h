// Replicas of one layer on nodes: repairs an approximate partition to exact slots and even load,
// then lowers the cut by exchanges.
//
// Cut of the replica graph: replicas of e and f on different nodes cost count(e, f) / (c_e c_f), c
// the numbers of replicas. Steps: nodes with too many replicas, or more of an expert than they
// have ranks, give those away that lose least; exchanges bring every node's load under its cap at
// the least loss of cut per load; then any exchange that lowers the cut within the cap.
// Omits: tokens with more than two experts in common count pair by pair (a graph, no hypergraph).
// Layer: strategies.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "strategies/co_activation.h"

namespace moesim::strategies {

/// The nodes' room: slots and ranks of each.
struct NodeRoom {
  std::vector<std::int64_t> slots;
  std::vector<std::int64_t> ranks;
};

class NodeLayout {
 public:
  /// `expert`: of each replica; `node`: where a partition put it. `load`: [experts].
  /// Preconditions: as many replicas as slots, no expert has more replicas than ranks.
  NodeLayout(const CoActivation& pairs, std::span<const double> load, NodeRoom room,
             std::vector<std::int32_t> expert, std::vector<std::int32_t> node);

  /// Exact slots on every node, and at most one replica of an expert for each rank of a node.
  void fill_exactly();
  /// Exchanges until no node carries more than (1 + tolerance) of its part, as far as they help.
  void even_out(double tolerance);
  /// Up to `passes` rounds of exchanges that lower the cut, no node above its cap or its load.
  void lower_cut(double tolerance, int passes);

  [[nodiscard]] const std::vector<std::int32_t>& nodes() const { return node_; }
  [[nodiscard]] double cut() const;

 private:
  struct Exchange {
    std::size_t a = 0;
    std::size_t b = 0;
    double price = 0.0;
    bool found = false;
  };
  [[nodiscard]] std::size_t nodes_of_room() const { return room_.slots.size(); }
  [[nodiscard]] double pull(std::size_t replica, std::size_t node) const;
  [[nodiscard]] double pair(std::size_t a, std::size_t b) const;
  [[nodiscard]] double share(std::size_t replica) const;
  [[nodiscard]] double cap(std::size_t node, double tolerance) const;
  [[nodiscard]] std::int64_t& copies(std::size_t replica, std::size_t node);
  [[nodiscard]] std::int64_t copies(std::size_t replica, std::size_t node) const;
  /// Change of the cut when two replicas change places, > 0: it falls.
  [[nodiscard]] double gain(std::size_t a, std::size_t b) const;
  [[nodiscard]] bool allowed(std::size_t a, std::size_t b) const;
  [[nodiscard]] double excess(std::size_t node, double load, double tolerance) const;
  [[nodiscard]] Exchange cheapest_relief(std::size_t node, double tolerance) const;
  void move(std::size_t replica, std::size_t node);
  void swap(std::size_t a, std::size_t b);
  void separate();

  const CoActivation& pairs_;
  NodeRoom room_;
  std::vector<std::int32_t> expert_;
  std::vector<std::int32_t> node_;
  std::vector<double> share_;         ///< [experts] load of one replica.
  std::vector<double> inverse_;       ///< [experts] 1 / replicas.
  std::vector<double> pull_;          ///< [experts * nodes] cut weight to a node's replicas.
  std::vector<std::int64_t> copies_;  ///< [experts * nodes]
  std::vector<std::int64_t> used_;    ///< [nodes] slots.
  std::vector<double> load_;          ///< [nodes]
  double load_per_slot_ = 0.0;
};

}  // namespace moesim::strategies
