// Search over which node holds which slot: exchanges of two slots between nodes, and slots handed
// from an expert with several replicas to another expert.
//
// Simulated annealing on the copies of CopyModel. An exchange is looked at in four steps, cheapest
// first: the change of random-choice copies from the table, the load of both nodes, whether both
// still pack onto their GPUs, the true change of copies. Accepted if the copies rise by less than
// temperature * Exp(1). A slot that is handed over changes the share of all replicas of both
// experts, so all their nodes are packed again. Work is counted (WorkMeter), so the result is the
// same on any machine. Layer: strategies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "strategies/partition_cluster.h"
#include "strategies/partition_copies.h"
#include "strategies/partition_drift.h"
#include "strategies/partition_packing.h"

namespace moesim::strategies {

/// Copies counted between parts of the cluster: between nodes, between racks.
struct CopyLevel {
  CopyModel* copies = nullptr;
  std::vector<std::size_t> part_of_node;  ///< [nodes]
  double weight = 1.0;                    ///< Of its copies in the cost.
};

/// Temperatures in parts of the tokens of a mean expert.
struct Annealing {
  double hot = 0.1;
  double cold = 0.005;
  std::int64_t work = 0;
};

class NodeSearch {
 public:
  /// `levels`: nodes first, then what is above them. `load`: [experts * workloads] in units of what
  /// a GPU may carry. `slots`: expert at each position. `drift` may be null: no guard.
  /// Precondition: no expert more often on a node than it has GPUs.
  NodeSearch(const LayerTokens& tokens, std::vector<CopyLevel> levels, const NodeGrid& grid,
             std::span<const double> load, std::size_t workloads, std::vector<std::int32_t> slots,
             DriftRisk* drift, RandomStream& stream);

  void anneal(const Annealing& plan);
  [[nodiscard]] const std::vector<std::int32_t>& slots() const { return slots_; }
  /// Copies of all levels by weight.
  [[nodiscard]] double cost() const;
  /// GPU within the node of every position of a node; false if not within the cap.
  bool pack(std::size_t node);
  [[nodiscard]] const Packer& packer() const { return packer_; }
  /// Work done so far, in nanoseconds of the reference machine.
  [[nodiscard]] std::int64_t work() const;

 private:
  bool exchange(std::size_t i, std::size_t j, double threshold);
  /// One replica of the expert at position i less, one of f more in its place.
  bool hand_over(std::size_t i, std::size_t f, double threshold);
  [[nodiscard]] double hand_over_estimate(std::size_t e, std::size_t f, std::size_t node) const;
  void set_shares(std::size_t e, double replicas);
  /// Nodes with replicas of e or f, and `node`, as they would be loaded: false if one is too full.
  bool shares_fit(std::size_t e, std::size_t f, std::size_t node);
  bool repacks();
  bool hand_over_lowers(std::size_t e, std::size_t f, std::size_t node, double threshold);
  [[nodiscard]] double estimate(std::size_t e, std::size_t a, std::size_t f, std::size_t b) const;
  bool exchange_lowers(std::size_t e, std::size_t a, std::size_t f, std::size_t b,
                       double threshold);
  /// Packs both nodes and measures their risk; false if they may not be so.
  bool packs(std::size_t a, std::size_t b);
  [[nodiscard]] bool loads_fit(std::size_t a, std::size_t b, std::size_t e, std::size_t f) const;
  void share_load();
  /// Of the node packed last.
  [[nodiscard]] DriftRisk::Sums packed_risk(std::size_t node) const;
  [[nodiscard]] bool risk_fits(std::size_t a, std::size_t b) const;

  const LayerTokens& tokens_;
  std::vector<CopyLevel> levels_;
  const NodeGrid& grid_;
  std::vector<double> load_;
  std::size_t workloads_;
  std::vector<std::int32_t> slots_;
  std::vector<std::size_t> node_of_;
  std::vector<double> share_;      ///< [expert * workloads] of one replica.
  std::vector<double> node_load_;  ///< [node * workloads]
  std::vector<double> together_;   ///< [expert * experts] part of the tokens with both.
  DriftRisk* drift_;               ///< May be null: no guard.
  bool spare_;                     ///< More slots than experts.
  std::vector<DriftRisk::Sums> node_risk_;
  DriftRisk::Sums risk_{};
  DriftRisk::Sums risk_a_{};  ///< Of the two nodes of an exchange, after it.
  DriftRisk::Sums risk_b_{};
  /// Nodes that a slot handed over changes, with what they would carry and risk.
  std::vector<std::size_t> touched_;
  std::vector<double> touched_load_;  ///< [touched * workloads]
  std::vector<DriftRisk::Sums> touched_risk_;
  Packer packer_;
  RandomStream& stream_;
  std::int64_t work_ = 0;
};

}  // namespace moesim::strategies
