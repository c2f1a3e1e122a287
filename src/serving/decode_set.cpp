#include "serving/decode_set.h"

#include <algorithm>

#include "core/check.h"

namespace moesim::serving {

DecodeSet::DecodeSet(std::int64_t block_size, std::span<const ContextLaw> laws, std::int32_t window)
    : laws_(laws.begin(), laws.end()),
      block_size_(block_size),
      window_(window),
      starting_block_at_(static_cast<std::size_t>(block_size), 0) {
  MOESIM_CHECK(laws_.size() <= kMaxContextLaws, "too many context laws");
}

std::int64_t DecodeSet::blocks_needed(std::int64_t tokens) const {
  std::int64_t blocks = 0;
  // Token j of the step stands at context + window + j: a new block where that many fill whole
  // ones.
  for (std::int64_t j = 0; j < tokens; ++j) {
    blocks += starting_block_at_[residue(-(emitted_ + window_ + j))];
  }
  return blocks;
}

void DecodeSet::join(SequenceIndex index, Sequence& sequence, std::int64_t context,
                     std::int32_t remaining) {
  sequence.decoding = true;
  sequence.context_base = context - emitted_;
  sequence.joined_at = emitted_;
  ++size_;
  ++starting_block_at_[residue(sequence.context_base)];
  ending_.add(index, emitted_ + remaining);
  for (std::size_t k = 0; k < laws_.size(); ++k) {
    context_[k] += std::min(context, laws_[k].cap);
    if (context < laws_[k].cap) {
      ++growing_[k];
      if (laws_[k].cap != kNoCap)
        filling_.add(cap_item(index, k), laws_[k].cap - sequence.context_base);
    }
  }
}

void DecodeSet::forget(SequenceIndex index, Sequence& sequence) {
  const std::int64_t context = sequence.context_base + emitted_;
  --size_;
  --starting_block_at_[residue(sequence.context_base)];
  for (std::size_t k = 0; k < laws_.size(); ++k) {
    context_[k] -= std::min(context, laws_[k].cap);
    if (context < laws_[k].cap) {
      --growing_[k];
      if (laws_[k].cap != kNoCap) filling_.remove(cap_item(index, k));
    }
  }
  sequence.decoding = false;
}

std::int32_t DecodeSet::leave(SequenceIndex index, Sequence& sequence) {
  ending_.remove(index);
  forget(index, sequence);
  return static_cast<std::int32_t>(emitted_ - sequence.joined_at);
}

void DecodeSet::fill(RankBatch& batch) const {
  const std::int64_t queries = 1 + window_;
  batch.decode_sequences = size_;
  batch.decode_queries = static_cast<std::int32_t>(queries);
  for (std::size_t k = 0; k < laws_.size(); ++k) {
    batch.decode_context[k] = context_[k] + queries * growing_[k];
  }
  // Members whose window fills within the drafted tokens do not read beyond it.
  for (std::int64_t j = 1; j < queries; ++j) {
    filling_.visit_due(emitted_ + j, [&](std::int32_t item) {
      batch.decode_context[static_cast<std::size_t>(item) % laws_.size()] -= queries - j;
    });
  }
}

void DecodeSet::advance(std::int64_t tokens) {
  MOESIM_DCHECK(tokens >= 1 && tokens <= 1 + window_, "a step keeps more tokens than it has");
  for (std::size_t k = 0; k < laws_.size(); ++k) context_[k] += tokens * growing_[k];
  for (std::int64_t j = 1; j <= tokens; ++j) {
    filling_.take_due(emitted_ + j, [&](std::int32_t item) {
      const std::size_t law = static_cast<std::size_t>(item) % laws_.size();
      --growing_[law];
      context_[law] -= tokens - j;
    });
  }
  emitted_ += tokens;
  last_advance_ = tokens;
}

}  // namespace moesim::serving
