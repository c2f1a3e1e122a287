#include "serving/token_picker.h"

#include <algorithm>

namespace moesim::serving {

std::span<const std::uint32_t> TokenPicker::pick(std::span<const RankBatch> ranks) {
  tokens_.clear();
  for (const RankBatch& batch : ranks) {
    for (std::int64_t i = 0; i < batch.tokens() - batch.prefill_tokens; ++i) {
      tokens_.push_back(bank_->pick(stream_));
    }
    if (batch.prefill_tokens == 0) continue;
    const std::int64_t chunks = std::max<std::int64_t>(1, batch.prefill_chunks);
    for (std::int64_t c = 0; c < chunks; ++c) {
      const std::int64_t length =
          batch.prefill_tokens * (c + 1) / chunks - batch.prefill_tokens * c / chunks;
      const std::uint32_t first = bank_->pick_request(stream_);
      for (std::int64_t i = 0; i < length; ++i) tokens_.push_back(bank_->follow(first, i));
    }
  }
  return tokens_;
}

}  // namespace moesim::serving
