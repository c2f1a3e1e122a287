// How far back the layers of a model look, and sums of it over a batch.
//
// Layers of one model may differ (full context, sliding window, chunk). Each distinct law is
// summed once per batch instead of once per layer.
// Layer: serving.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

namespace moesim::serving {

inline constexpr std::int64_t kNoCap = std::numeric_limits<std::int64_t>::max();
/// Distinct laws a model may have; check_deployment refuses more.
inline constexpr std::size_t kMaxContextLaws = 8;

struct ContextLaw {
  std::int64_t cap = kNoCap;  ///< Context beyond this is not read when decoding; 0 = no cache.
  std::int64_t window = 0;    ///< Of prefill pairs; 0 = none.
  bool chunked = false;
  friend bool operator==(const ContextLaw&, const ContextLaw&) = default;
};

/// Part of the context is cached but not read.
[[nodiscard]] inline bool hides_context(const ContextLaw& law) {
  return law.cap != kNoCap && law.cap > 0;
}

/// What one rank computes in one iteration. Counts of tokens.
struct RankBatch {
  std::int32_t decode_sequences = 0;
  /// Tokens that each decoding sequence runs through the model: the one that is due, and those
  /// drafted for it (1 + Speculation::window()). How many of them it keeps does not matter here.
  std::int32_t decode_queries = 1;
  std::int32_t prefill_tokens = 0;
  std::int32_t prefill_chunks = 0;  ///< Prompts that the tokens belong to.
  std::int32_t logit_rows = 0;      ///< Rows of the head: tokens of decoding sequences, and prompts
                                    ///< that end here.
  std::int32_t swapped_blocks = 0;  ///< KV blocks copied to the host or back before it starts.
  /// Per law, summed over sequences: keys that the last query of each reads. The j-th before it
  /// reads j fewer, where no cap cuts both short.
  std::array<std::int64_t, kMaxContextLaws> decode_context{};
  std::array<std::int64_t, kMaxContextLaws> prefill_context{};  ///< Keys read by prompt chunks.
  std::array<double, kMaxContextLaws> prefill_pairs{};  ///< (query, key) pairs of prompt chunks.
  /// Tokens of decoding sequences.
  [[nodiscard]] std::int32_t decode_tokens() const { return decode_sequences * decode_queries; }
  [[nodiscard]] std::int32_t tokens() const { return decode_tokens() + prefill_tokens; }
};

}  // namespace moesim::serving
