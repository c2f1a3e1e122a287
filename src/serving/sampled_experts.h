// Experts' times of whole iterations, drawn exactly a few times for each kind of batch and drawn
// from again afterwards.
//
// Models: the MoE part of an iteration (dispatch, experts, combine of every layer) as a random
//         draw whose law depends on the tokens of the batch N, on how far the fullest rank lies
//         above an even share E = max - ceil(N / ranks), and on whether prompts are in it.
// Formula: N lies between two nodes of a grid, and E between two on each of their rows, so that up
//         to four corners surround a batch; weights w_c are linear in between. A corner is chosen
//         with probability w_c, one of its records at random; all times of the record are scaled
//         by sum_c w_c m_c / m_chosen, where m_c is the mean of a corner. So the mean is that of
//         the interpolated surface and the spread that of single iterations.
//         A corner gets another exact draw whenever it is chosen, until it has kMostRecords, its
//         records have kMostTokens, or the standard error of its mean is below kEnoughCertain. The
//         draw is that of the batch at hand, its ranks moved linearly to the corner's N and E.
// Keeps:  the joint law of the layers, of expert load, copies and ranks inside an iteration: a
//         record is a whole iteration.
// Omits:  differences between batches with equal N, E and kind; see docs/models/sampled.md.
// Layer:  serving.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "core/random.h"
#include "serving/context_law.h"
#include "serving/expert_cost.h"

namespace moesim::serving {

/// The MoE part of one iteration, all stages.
struct ExpertRecord {
  std::vector<ExpertLayerTime> layers;  ///< [MoE layer]
  ExpertStatistics statistics;          ///< What the iteration counted.
  std::int64_t tokens = 0;
  Seconds total;    ///< Sum over layers of dispatch, slowest rank and combine.
  double used = 0;  ///< How often, each time by the ratio of tokens.
};

/// Batches of the same kind are alike but for their tokens.
struct BatchKind {
  bool prefill = false;
  placement::Copies copies = placement::Copies::Deduplicated;
  std::int32_t units = 0;  ///< Octave of sequences and chunks, where tokens of a chunk are alike.
  friend auto operator<=>(const BatchKind&, const BatchKind&) = default;
};

/// Points between which times are interpolated: every integer up to 32, then eight an octave, from
/// 1,024 on four.
[[nodiscard]] std::span<const std::int64_t> token_nodes();

/// The batch of `ranks` moved to `tokens` tokens of which the fullest rank has `largest` (exactly
/// in the sum; in the maximum too unless ranks run empty). Decode and prompt tokens of a rank keep
/// their proportion. Preconditions: some tokens; largest * ranks >= tokens.
void move_batch(std::span<const RankBatch> ranks, std::int64_t tokens, std::int64_t largest,
                std::vector<RankBatch>& moved);

class SampledExperts {
 public:
  /// Draws the MoE part of such a batch exactly.
  using Draw = std::function<ExpertRecord(std::span<const RankBatch>)>;
  /// The kind that a batch whose fullest rank has so many tokens would be of.
  using KindOf = std::function<BatchKind(std::int64_t largest)>;

  SampledExperts(std::uint64_t seed, std::uint64_t instance)
      : stream_(seed, "sampled experts", instance) {}

  /// The MoE part of this batch; valid until the next call.
  [[nodiscard]] std::span<const ExpertLayerTime> sample(std::span<const RankBatch> ranks,
                                                        const KindOf& kind_of, const Draw& draw);
  /// Records no longer hold: the placement or the popularity has changed.
  void forget();

  /// An iteration whose experts were drawn exactly, beside the records.
  void count_exact(placement::Copies copies, std::int64_t tokens);
  /// Tokens served over tokens drawn, of those that travelled in this way: what sums over draws
  /// are to be multiplied by. 0 where there were none.
  [[nodiscard]] double served_over_drawn(placement::Copies copies) const;
  /// Of the tokens drawn.
  [[nodiscard]] double drawn(placement::Copies copies) const {
    return tokens_[copies == placement::Copies::PerPick ? 1 : 0].drawn;
  }
  /// Adds what the sampled iterations would have counted.
  void add_statistics(ExpertStatistics& statistics) const;
  [[nodiscard]] std::int64_t draws() const { return draws_; }
  [[nodiscard]] std::int64_t samples() const { return samples_; }

 private:
  struct Corner {
    std::int64_t tokens = 0;
    std::int64_t largest = 0;
    std::vector<ExpertRecord> records{};
    Seconds mean{};
    bool complete = false;
  };
  struct Tokens {
    double served = 0;
    double drawn = 0;
  };
  struct Weighted {
    std::size_t corner;
    double weight;
  };
  using Key = std::pair<BatchKind, std::pair<std::int32_t, std::int32_t>>;

  void surround(std::span<const RankBatch> ranks, std::int64_t tokens, std::int64_t largest,
                const BatchKind& kind, const KindOf& kind_of);
  void add_row(std::size_t node, double weight, std::int64_t ranks, std::int64_t excess,
               std::int64_t largest, const BatchKind& kind, const KindOf& kind_of);
  [[nodiscard]] std::size_t corner(const BatchKind& kind, std::size_t node, std::size_t step,
                                   std::int64_t tokens, std::int64_t largest);
  void add_record(std::size_t corner, std::span<const RankBatch> ranks, placement::Copies copies,
                  const Draw& draw);
  [[nodiscard]] std::size_t choose();
  [[nodiscard]] Tokens& tokens(placement::Copies copies) {
    return tokens_[copies == placement::Copies::PerPick ? 1 : 0];
  }

  RandomStream stream_;
  std::map<Key, std::size_t> known_;
  std::vector<Corner> corners_;
  std::vector<Weighted> around_;  ///< The corners of the batch at hand.
  std::vector<RankBatch> moved_;
  std::vector<ExpertLayerTime> sampled_;
  std::array<Tokens, 2> tokens_;  ///< Of de-duplicated copies, of copies per pick.
  ExpertStatistics past_;         ///< Of records that were forgotten.
  std::int64_t draws_ = 0;
  std::int64_t samples_ = 0;
};

}  // namespace moesim::serving
