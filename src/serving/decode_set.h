// The sequences of one lane that emit a token in every step, advanced together in O(1).
//
// One step adds one token to every member. Nothing is done per member: contexts are kept relative
// to the step counter, KV blocks needed are counted by residue, members that end (or whose window
// fills) wait in a timing wheel.
// Layer: serving.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "serving/context_law.h"
#include "serving/sequence.h"
#include "serving/timing_wheel.h"

namespace moesim::serving {

class DecodeSet {
 public:
  DecodeSet(std::int64_t block_size, std::span<const ContextLaw> laws);

  [[nodiscard]] std::int32_t size() const { return size_; }
  /// New KV blocks the next step needs.
  [[nodiscard]] std::int64_t blocks_needed() const { return starting_block_at_[residue(-steps_)]; }
  /// A prefilled sequence of `context` cached tokens joins and will emit `remaining` >= 1 tokens.
  void join(SequenceIndex index, Sequence& sequence, std::int64_t context, std::int32_t remaining);
  /// A member leaves before its end (preempted). Returns the tokens it has generated here.
  std::int32_t leave(SequenceIndex index, Sequence& sequence);
  /// KV blocks a member holds.
  [[nodiscard]] std::int64_t blocks_of(const Sequence& sequence) const {
    return (sequence.context_base + steps_ + block_size_ - 1) / block_size_;
  }
  /// Every member appends one token. Call after the blocks have been taken.
  void advance();
  /// Adds the contexts read in the current step to `batch`.
  void fill(RankBatch& batch) const;
  /// Removes the members that have emitted their last token in this step, calling visit(index).
  template <class Visit>
  void take_finished(SequencePool& pool, Visit&& visit) {
    ending_.take_due(steps_, [&](std::int32_t index) {
      forget(index, pool[index]);
      visit(index);
    });
  }

 private:
  [[nodiscard]] std::size_t residue(std::int64_t x) const {
    const std::int64_t r = x % block_size_;
    return static_cast<std::size_t>(r < 0 ? r + block_size_ : r);
  }
  void forget(SequenceIndex index, Sequence& sequence);
  [[nodiscard]] std::int32_t cap_item(SequenceIndex index, std::size_t law) const {
    return static_cast<std::int32_t>(static_cast<std::size_t>(index) * laws_.size() + law);
  }

  std::vector<ContextLaw> laws_;
  std::int64_t block_size_;
  std::int64_t steps_ = 0;
  std::int32_t size_ = 0;
  std::vector<std::int32_t> starting_block_at_;  ///< Members by (context - steps) mod block size.
  TimingWheel ending_;
  TimingWheel filling_;  ///< (member, law) pairs whose window fills.
  std::array<std::int64_t, kMaxContextLaws> context_{};  ///< Sum over members, capped per law.
  std::array<std::int32_t, kMaxContextLaws> growing_{};  ///< Members below the cap.
};

}  // namespace moesim::serving
