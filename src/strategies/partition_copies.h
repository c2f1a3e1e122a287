// Copies between nodes that the tokens of one layer cost, kept up to date while slots move.
//
// An expert's replica on a node serves the part p = (replicas there) / (all its replicas) of its
// tokens. Sources are spread over the nodes like the ranks; u(n) = 1 - (ranks of n) / ranks is the
// chance that node n is remote. Per net:
//   random choice:   R = sum_n u(n) (1 - prod_e (1 - p_e(n)))
//   locality first:  L = sum_{n in S} u(n) + sum over experts spread over nodes M outside S of
//                    (chance that the source is outside M) * prod (chance not yet covered)
//                    with S the nodes of experts that lie on one node only, spread experts in
//                    order.
// cost = mean over tokens of (R + L) / 2. R is linear in each expert's p, so what a move changes in
// R is read from the table d R / d p_e(n) that is kept for all experts and nodes; L by evaluation
// of the moved experts' nets alone. Omits: correlation of the source with the experts. Layer:
// strategies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "strategies/partition_tokens.h"

namespace moesim::strategies {

class CopyModel {
 public:
  /// `remote`: u(n) of each node. `tokens` must outlive the model.
  CopyModel(const LayerTokens& tokens, std::vector<double> remote);

  /// Expert and node of every slot.
  void assign(std::span<const std::int32_t> expert, std::span<const std::int32_t> node);

  [[nodiscard]] double cost() const { return cost_; }
  /// Recomputed from scratch.
  [[nodiscard]] double recomputed_cost();
  [[nodiscard]] std::int32_t count(std::size_t expert, std::size_t node) const {
    return count_[node * experts_ + expert];
  }
  [[nodiscard]] std::int32_t replicas(std::size_t expert) const { return replicas_[expert]; }
  /// d R / d p of an expert on a node: what its tokens add there under random choice.
  [[nodiscard]] double marginal(std::size_t expert, std::size_t node) const {
    return marginal_[node * experts_ + expert];
  }
  /// Change of R if one replica of `expert` moves, all others staying.
  [[nodiscard]] double move_estimate(std::size_t expert, std::size_t from, std::size_t to) const {
    return (marginal_[to * experts_ + expert] - marginal_[from * experts_ + expert]) *
           part_[expert];
  }

  /// Copies for an expert alone, `tokens` of weight: after one replica less on `from` and one more
  /// on `to` (kNowhere: none), as if the picks that cover one node said nothing of another.
  [[nodiscard]] double spread_estimate(std::size_t expert, std::size_t from, std::size_t to,
                                       double tokens) const;
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

  /// One replica of `expert` on `node` more or less.
  struct Change {
    std::size_t expert;
    std::size_t node;
    std::int32_t by;
  };
  /// Change of the cost by all of `changes` together. Afterwards exactly one of keep() and drop().
  double propose(std::span<const Change> changes);
  void keep();
  void drop();

  /// Nets looked at so far: the measure of work.
  [[nodiscard]] std::int64_t work() const { return work_; }

 private:
  struct Part {
    std::int32_t node;
    double p;
  };
  double net_cost(std::size_t net);
  double spread_cost(std::size_t spread, double base);
  void set_parts(std::size_t expert);
  void change_marginals(std::size_t expert, std::size_t node, double new_absent);
  [[nodiscard]] std::span<const Part> parts(std::size_t expert) const {
    return {&parts_[expert * nodes_], part_count_[expert]};
  }

  const LayerTokens& tokens_;
  std::size_t experts_;
  std::size_t nodes_;
  std::vector<double> remote_;
  std::vector<std::int32_t> count_;      ///< [node * experts + expert] replicas there.
  std::vector<std::int32_t> replicas_;   ///< [expert]
  std::vector<double> part_;             ///< [expert] 1 / replicas
  std::vector<Part> parts_;              ///< [expert * nodes + i] nodes that hold the expert.
  std::vector<std::size_t> part_count_;  ///< [expert]
  std::vector<std::int32_t> home_;       ///< [expert] its only node, or -1.
  std::vector<double> covered_;          ///< [expert] chance that the source holds a replica.
  std::vector<double> absent_;           ///< [node * experts + expert] 1 - p, as in marginal_.
  std::vector<double> marginal_;         ///< [node * experts + expert]
  std::vector<double> net_cost_;         ///< [net]
  double cost_ = 0.0;

  std::vector<Change> changes_;
  std::vector<std::size_t> changed_experts_;
  std::vector<std::pair<std::uint32_t, double>> new_cost_;  ///< Nets touched by a proposal.
  std::vector<std::uint32_t> net_stamp_;
  std::uint32_t stamp_ = 0;
  double proposed_ = 0.0;

  std::vector<std::uint32_t> seen_;  ///< [node] stamp of the net whose S has the node.
  std::vector<std::uint32_t> spread_seen_;
  std::vector<double> none_;         ///< [node] chance that no spread expert of the net uses it.
  std::vector<std::size_t> spread_;  ///< Spread experts of the net.
  std::vector<std::size_t> touched_;
  std::uint32_t net_mark_ = 0;
  std::int64_t work_ = 0;
};

}  // namespace moesim::strategies
