// The sequences of one lane that emit tokens in every step, advanced together in O(1).
//
// One step adds the same number of tokens to every member: one, or with speculative decoding 1 to
// 1 + window. Nothing is done per member: contexts are kept relative to the tokens emitted so far,
// KV blocks needed are counted by residue, members that end (or whose window fills) wait in a
// timing wheel. A member keeps room for its context and `window` more tokens, so a step that keeps
// n of 1 + window tokens needs room for n more.
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
  DecodeSet(std::int64_t block_size, std::span<const ContextLaw> laws, std::int32_t window = 0);

  [[nodiscard]] std::int32_t size() const { return size_; }
  /// Tokens that a step runs for each member.
  [[nodiscard]] std::int64_t queries() const { return 1 + window_; }
  /// New KV blocks a step needs that adds so many tokens to each member.
  [[nodiscard]] std::int64_t blocks_needed(std::int64_t tokens = 1) const;
  /// A prefilled sequence of `context` cached tokens joins and will emit `remaining` >= 1 tokens.
  /// It holds blocks for context + window tokens.
  void join(SequenceIndex index, Sequence& sequence, std::int64_t context, std::int32_t remaining);
  /// A member leaves before its end (preempted). Returns the tokens it has generated here.
  std::int32_t leave(SequenceIndex index, Sequence& sequence);
  /// Tokens a member has generated here.
  [[nodiscard]] std::int32_t generated_of(const Sequence& sequence) const {
    return static_cast<std::int32_t>(emitted_ - sequence.joined_at);
  }
  /// KV blocks a member holds.
  [[nodiscard]] std::int64_t blocks_of(const Sequence& sequence) const {
    return (sequence.context_base + emitted_ + window_ + block_size_ - 1) / block_size_;
  }
  /// What the next step computes: 1 + window tokens of every member.
  void fill(RankBatch& batch) const;
  /// Every member appends `tokens` tokens, at most 1 + window; those that end within them fewer.
  /// Call after the blocks have been taken and the batch has been filled.
  void advance(std::int64_t tokens = 1);
  /// Removes the members that have emitted their last token in this step, calling
  /// visit(index, tokens that the step had beyond its last).
  template <class Visit>
  void take_finished(SequencePool& pool, Visit&& visit) {
    for (std::int64_t due = emitted_ - last_advance_ + 1; due <= emitted_; ++due) {
      ending_.take_due(due, [&](std::int32_t index) {
        forget(index, pool[index]);
        visit(index, emitted_ - due);
      });
    }
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
  std::int64_t window_;            ///< Tokens drafted for each member and step.
  std::int64_t emitted_ = 0;       ///< By a member that has been here since the start.
  std::int64_t last_advance_ = 1;  ///< Of the last step.
  std::int32_t size_ = 0;
  std::vector<std::int32_t> starting_block_at_;  ///< Members by (context - emitted) mod block size.
  TimingWheel ending_;
  TimingWheel filling_;  ///< (member, law) pairs whose window fills.
  std::array<std::int64_t, kMaxContextLaws> context_{};  ///< Sum over members, capped per law.
  std::array<std::int32_t, kMaxContextLaws> growing_{};  ///< Members below the cap.
};

}  // namespace moesim::serving
