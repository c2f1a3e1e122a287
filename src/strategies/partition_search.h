// Search over which node holds which slot: exchanges of two slots between nodes.
//
// Simulated annealing on the copies of CopyModel. An exchange is looked at in four steps, cheapest
// first: the change of random-choice copies from the table, the load of both nodes, whether both
// still pack onto their GPUs, the true change of copies. Accepted if the copies rise by less than
// temperature * Exp(1). Work is counted (WorkMeter), so the result is the same on any machine.
// Layer: strategies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "strategies/partition_copies.h"
#include "strategies/partition_packing.h"

namespace moesim::strategies {

/// Nodes as the search sees them: adjacent positions of slots, whole GPUs.
struct NodeGrid {
  std::size_t slots_per_gpu = 1;
  std::vector<std::size_t> gpus;   ///< [nodes]
  std::vector<std::size_t> first;  ///< [nodes + 1] first position of each node.
  [[nodiscard]] std::size_t nodes() const { return gpus.size(); }
};

/// Relative temperatures: parts of the tokens of a mean expert.
struct Annealing {
  double hot = 0.1;
  double cold = 0.005;
  double margin = 0.0;  ///< By how much the table's estimate may miss the threshold.
  double pair = 0.8;    ///< Correction per token that two exchanged experts share.
  std::int64_t work = 0;
};

class NodeSearch {
 public:
  /// `load`: [experts * workloads] in units of what a GPU may carry. `slots`: expert at each
  /// position. Precondition: no expert more often on a node than it has GPUs.
  NodeSearch(const LayerTokens& tokens, CopyModel& copies, const NodeGrid& grid,
             std::span<const double> load, std::size_t workloads, std::vector<std::int32_t> slots,
             RandomStream& stream);

  void anneal(const Annealing& plan);
  [[nodiscard]] const std::vector<std::int32_t>& slots() const { return slots_; }
  /// GPU within the node of every position of a node; false if not within the cap.
  bool pack(std::size_t node);
  [[nodiscard]] const Packer& packer() const { return packer_; }
  [[nodiscard]] std::int64_t work() const { return work_ + kNetWork * copies_.work(); }

  static constexpr std::int64_t kNetWork = 20;

  std::int64_t tried = 0, passed = 0, packed = 0, evaluated = 0, taken = 0;

 private:
  bool exchange(std::size_t i, std::size_t j, double threshold, const Annealing& plan);
  [[nodiscard]] bool loads_fit(std::size_t a, std::size_t b, std::size_t e, std::size_t f) const;
  [[nodiscard]] double threshold(double temperature);
  void share_load();

  const LayerTokens& tokens_;
  CopyModel& copies_;
  const NodeGrid& grid_;
  std::vector<double> load_;
  std::size_t workloads_;
  std::vector<std::int32_t> slots_;
  std::vector<std::size_t> node_of_;
  std::vector<double> share_;      ///< [expert * workloads] of one replica.
  std::vector<double> node_load_;  ///< [node * workloads]
  std::vector<double> together_;   ///< [expert * experts] part of the tokens with both.
  std::vector<double> exponential_;
  Packer packer_;
  RandomStream& stream_;
  std::int64_t work_ = 0;
};

}  // namespace moesim::strategies
