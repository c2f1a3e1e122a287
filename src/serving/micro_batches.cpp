#include "serving/micro_batches.h"

#include <algorithm>
#include <cstdint>

namespace moesim::serving {
namespace {

/// The part of `whole` that `part` of `all` have, rounded down.
std::int64_t share_of(std::int64_t whole, std::int64_t part, std::int64_t all) {
  return all == 0
             ? 0
             : static_cast<std::int64_t>(static_cast<double>(whole) *
                                         (static_cast<double>(part) / static_cast<double>(all)));
}

void split_decode(const RankBatch& batch, RankBatch& first, RankBatch& second) {
  first.decode_queries = second.decode_queries = batch.decode_queries;
  first.decode_sequences = (batch.decode_sequences + 1) / 2;
  second.decode_sequences = batch.decode_sequences - first.decode_sequences;
  for (std::size_t law = 0; law < kMaxContextLaws; ++law) {
    second.decode_context[law] =
        share_of(batch.decode_context[law], second.decode_sequences, batch.decode_sequences);
    first.decode_context[law] = batch.decode_context[law] - second.decode_context[law];
  }
}

/// Keys and pairs of one law: whole chunks in equal numbers, and one cut where they are odd.
void split_keys(const RankBatch& batch, std::size_t law, RankBatch& first, RankBatch& second) {
  const double chunks = batch.prefill_chunks;
  const double keys = static_cast<double>(batch.prefill_context[law]) / chunks;
  const double pairs = batch.prefill_pairs[law] / chunks;
  const auto whole = static_cast<double>(batch.prefill_chunks / 2);
  double first_keys = whole * keys;
  double first_pairs = whole * pairs;
  double second_keys = first_keys;
  if (batch.prefill_chunks % 2 != 0) {
    const double queries = batch.prefill_tokens / chunks;
    const double early = queries * first.prefill_tokens / batch.prefill_tokens;
    const double past = std::max(0.0, keys - queries);
    // Causal: each query sees the past and those before it; never more than its share of what a
    // window leaves.
    first_pairs += std::min(pairs * early / queries, early * past + 0.5 * early * (early + 1.0));
    first_keys += std::min(keys, past + early);
    second_keys += keys;
  }
  first.prefill_context[law] = static_cast<std::int64_t>(first_keys + 0.5);
  second.prefill_context[law] = static_cast<std::int64_t>(second_keys + 0.5);
  first.prefill_pairs[law] = first_pairs;
  second.prefill_pairs[law] = batch.prefill_pairs[law] - first_pairs;
}

}  // namespace

std::array<RankBatch, 2> split_batch(const RankBatch& batch) {
  std::array<RankBatch, 2> halves{};
  auto& [first, second] = halves;
  split_decode(batch, first, second);
  if (batch.prefill_tokens > 0) {
    // An odd sequence went to the first: the odd token of prompts goes to the other.
    const std::int32_t odd = first.decode_sequences == second.decode_sequences ? 1 : 0;
    first.prefill_tokens = (batch.prefill_tokens + odd) / 2;
    second.prefill_tokens = batch.prefill_tokens - first.prefill_tokens;
    first.prefill_chunks = first.prefill_tokens > 0 ? (batch.prefill_chunks + 1) / 2 : 0;
    second.prefill_chunks = second.prefill_tokens > 0 ? (batch.prefill_chunks + 1) / 2 : 0;
    for (std::size_t law = 0; law < kMaxContextLaws; ++law) split_keys(batch, law, first, second);
  }
  first.logit_rows = (batch.logit_rows + 1) / 2;
  second.logit_rows = batch.logit_rows - first.logit_rows;
  return halves;
}

}  // namespace moesim::serving
