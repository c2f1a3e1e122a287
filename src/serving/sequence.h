// A request while it is being served, and the pool that holds all of them.
//
// Sequences live in one flat array and are named by index; freed places are reused, so that the
// memory of a run is that of its peak, not of its length.
// Layer: serving.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/sim_time.h"
#include "serving/prefix_settings.h"

namespace moesim::serving {

using SequenceIndex = std::int32_t;
inline constexpr SequenceIndex kNoSequence = -1;

struct Sequence {
  std::int64_t request = 0;        ///< Number of the request, in order of arrival.
  std::int32_t service_class = 0;  ///< Number of its class.
  std::int32_t priority = 0;       ///< Lower is served first.
  std::int32_t input_tokens = 0;
  std::int32_t output_tokens = 0;
  std::int32_t prefill_target =
      0;  ///< Tokens to compute before the next token comes out: the prompt,
          ///< and after a preemption also what had been generated.
  std::int32_t prefilled = 0;
  std::int32_t generated = 0;  ///< Output tokens so far; while decoding, those before joining.
  std::int32_t preemptions = 0;
  std::int32_t blocks = 0;       ///< KV blocks held while prefilling, shared ones included.
  std::int32_t shared = 0;       ///< Blocks it reads that belong to the prefix cache.
  std::int32_t held_ids = 0;     ///< Of its prompt's, whose blocks it holds there.
  std::int32_t swapped = 0;      ///< Blocks on the host while it waits to come back.
  std::int32_t promised = 0;     ///< Blocks set apart for all of it (Admission::Guaranteed).
  std::int32_t assumed_hit = 0;  ///< Leading tokens taken to be cached (AssumedReuse).
  CacheTier assumed_tier = CacheTier::Gpu;
  std::int64_t context_base =
      0;  ///< While decoding: context = context_base + tokens of the lane's DecodeSet.
  std::int64_t admission = 0;  ///< Its number in the lane's order of admission.
  std::int64_t joined_at = 0;  ///< Tokens of the DecodeSet when it joined.
  SimTime ready;               ///< When cached blocks that it reads have been loaded.
  SimTime arrival;
  SimTime first_token;
  SimTime last_token;
  SimTime kv_wait;  ///< Time spent at the head of the queue for want of KV blocks.
  SequenceIndex older = kNoSequence;  ///< Neighbours in the lane's order of admission.
  SequenceIndex younger = kNoSequence;
  bool decoding = false;
};

class SequencePool {
 public:
  [[nodiscard]] SequenceIndex take() {
    if (free_.empty()) {
      sequences_.emplace_back();
      return static_cast<SequenceIndex>(sequences_.size()) - 1;
    }
    const SequenceIndex index = free_.back();
    free_.pop_back();
    (*this)[index] = Sequence{};
    return index;
  }
  void give_back(SequenceIndex index) { free_.push_back(index); }
  [[nodiscard]] Sequence& operator[](SequenceIndex i) {
    return sequences_[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] const Sequence& operator[](SequenceIndex i) const {
    return sequences_[static_cast<std::size_t>(i)];
  }
  /// Ids of the prompt's prefix blocks; kept while the sequence is here.
  [[nodiscard]] std::span<const std::uint64_t> prompt(SequenceIndex i) const {
    const auto at = static_cast<std::size_t>(i);
    return at < prompts_.size() ? prompts_[at] : std::span<const std::uint64_t>{};
  }
  void set_prompt(SequenceIndex i, std::span<const std::uint64_t> ids) {
    const auto at = static_cast<std::size_t>(i);
    if (at >= prompts_.size()) {
      if (ids.empty()) return;
      prompts_.resize(at + 1);
    }
    prompts_[at].assign(ids.begin(), ids.end());
  }
  [[nodiscard]] std::size_t in_use() const { return sequences_.size() - free_.size(); }

 private:
  std::vector<Sequence> sequences_;
  std::vector<std::vector<std::uint64_t>> prompts_;  ///< By place, which keeps its memory.
  std::vector<SequenceIndex> free_;
};

}  // namespace moesim::serving
