// One rank's batch cut into two micro-batches.
//
// Decoding sequences are shared out one by one, prompts by tokens: whole chunks as far as halves
// come out even, and the chunk in the middle is cut in two, its second part reading the keys of the
// first. A batch is known by its sums, so sequences and chunks count as equally long.
// Source: SGLang's split of a batch by sequences (decode) and by tokens (prefill, "two chunks").
// Layer: serving.
#pragma once

#include <array>

#include "serving/context_law.h"

namespace moesim::serving {

/// Tokens, pairs and rows of both add up to the batch's; keys read by prompts do too, but for those
/// that a chunk cut in two reads twice. The first one is never the smaller by tokens.
[[nodiscard]] std::array<RankBatch, 2> split_batch(const RankBatch& batch);

}  // namespace moesim::serving
