#include "serving/decode_set.h"

#include <algorithm>

#include "core/check.h"

namespace moesim::serving {

DecodeSet::DecodeSet(std::int64_t block_size, std::span<const ContextLaw> laws)
    : laws_(laws.begin(), laws.end()),
      block_size_(block_size),
      starting_block_at_(static_cast<std::size_t>(block_size), 0) {
  MOESIM_CHECK(laws_.size() <= kMaxContextLaws, "too many context laws");
}

void DecodeSet::join(SequenceIndex index, Sequence& sequence, std::int64_t context,
                     std::int32_t remaining) {
  sequence.decoding = true;
  sequence.context_base = context - steps_;
  sequence.join_step = steps_;
  ++size_;
  ++starting_block_at_[residue(sequence.context_base)];
  ending_.add(index, steps_ + remaining);
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
  const std::int64_t context = sequence.context_base + steps_;
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
  return static_cast<std::int32_t>(steps_ - sequence.join_step);
}

void DecodeSet::advance() {
  ++steps_;
  for (std::size_t k = 0; k < laws_.size(); ++k) context_[k] += growing_[k];
  filling_.take_due(steps_, [&](std::int32_t item) {
    --growing_[static_cast<std::size_t>(item) % laws_.size()];
  });
}

void DecodeSet::fill(RankBatch& batch) const {
  batch.decode_sequences = size_;
  for (std::size_t k = 0; k < laws_.size(); ++k) batch.decode_context[k] = context_[k];
}

}  // namespace moesim::serving
