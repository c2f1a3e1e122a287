// A finite stock of tokens with their experts in every MoE layer, to draw from quickly.
//
// Tokens are drawn once by the exact model (affinity_model.h) or recorded, then picked by index:
// at random for a decoding batch, as a run of adjacent tokens for a prompt. The same index in all
// layers keeps the affinity between layers; adjacent tokens share their request's topic.
// What a finite bank costs: docs/models/affinity.md (section "Bank").
// Omits:  nothing of the law that its tokens were drawn by, but its tokens repeat: T tokens picked
//         from N are alike more often than fresh ones, by about T/N.
// Layer:  routing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/check.h"
#include "core/random.h"
#include "routing/token_trace.h"

namespace moesim::routing {

/// Tokens of a bank unless told otherwise: 58 layers of 8 experts take 15 MB (L3), drawn in about a
/// second; a batch of 256 picks each token twice with probability 1.6 %.
inline constexpr std::int64_t kDefaultBankTokens = 16384;

class TokenBank {
 public:
  /// Precondition: the trace is not empty and its rows are MoE layers 0, 1, 2, ... (checked).
  explicit TokenBank(TokenTrace trace);

  [[nodiscard]] std::int64_t tokens() const { return tokens_; }
  [[nodiscard]] std::int64_t layers() const { return trace_.rows(); }
  [[nodiscard]] std::int64_t expert_count() const { return trace_.experts; }
  [[nodiscard]] std::int64_t top_k() const { return trace_.top_k; }
  [[nodiscard]] const TokenTrace& trace() const { return trace_; }

  /// The top_k distinct experts of a token in a layer.
  [[nodiscard]] const std::uint16_t* experts(std::int64_t layer, std::int64_t token) const {
    MOESIM_DCHECK(layer >= 0 && layer < layers() && token >= 0 && token < tokens_,
                  "no such token in the bank");
    return trace_.expert.data() + (layer * tokens_ + token) * trace_.top_k;
  }

  /// A token at random.
  [[nodiscard]] std::uint32_t pick(RandomStream& stream) const {
    return static_cast<std::uint32_t>(stream.below(static_cast<std::uint64_t>(tokens_)));
  }
  /// First token of a request at random: where a run begins. Requests weigh by their tokens.
  [[nodiscard]] std::uint32_t pick_request(RandomStream& stream) const {
    return first_of_request_[pick(stream)];
  }
  /// The token `step` places after `first`; after the last token comes the first again.
  [[nodiscard]] std::uint32_t follow(std::uint32_t first, std::int64_t step) const {
    return static_cast<std::uint32_t>((first + step) % tokens_);
  }
  /// First token of the request that a token belongs to.
  [[nodiscard]] std::uint32_t first_of_request(std::uint32_t token) const {
    return first_of_request_[token];
  }

  /// Hands the experts of each of `tokens` to `sink(const std::uint16_t* experts)`, fetching ahead.
  template <class Sink>
  void visit(std::int64_t layer, std::span<const std::uint32_t> tokens, Sink&& sink) const {
    const std::size_t top_k = static_cast<std::size_t>(trace_.top_k);
    const std::uint16_t* rows = experts(layer, 0);
    const std::size_t ahead = tokens.size() > kAhead ? tokens.size() - kAhead : 0;
    std::size_t i = 0;
    for (; i < ahead; ++i) {
      __builtin_prefetch(rows + tokens[i + kAhead] * top_k);
      sink(rows + tokens[i] * top_k);
    }
    for (; i < tokens.size(); ++i) sink(rows + tokens[i] * top_k);
  }
  /// The same for `count` adjacent tokens from `first` on, around the end of the bank.
  template <class Sink>
  void visit_run(std::int64_t layer, std::uint32_t first, std::int64_t count, Sink&& sink) const {
    const std::int64_t top_k = trace_.top_k;
    for (std::int64_t done = 0; done < count;) {
      const std::int64_t here = std::min(count - done, tokens_ - first);
      const std::uint16_t* row = experts(layer, first);
      for (std::int64_t i = 0; i < here; ++i) sink(row + i * top_k);
      done += here;
      first = 0;
    }
  }

 private:
  static constexpr std::size_t kAhead = 24;  ///< Tokens fetched ahead of their use.
  TokenTrace trace_;
  std::int64_t tokens_;
  std::vector<std::uint32_t> first_of_request_;  ///< [tokens]
};

/// Counts per expert of a window of adjacent tokens in constant time: counts up to every 64th
/// token. What is lost against picking tokens one by one: docs/models/affinity.md.
class WindowCounts {
 public:
  static constexpr std::int64_t kBlock = 64;

  /// Keeps a pointer: the bank must outlive it. 512 B per 64 tokens and layer for 256 experts.
  explicit WindowCounts(const TokenBank& bank);

  /// First token of a window at random, at a block's begin (then only the end of the window costs
  /// more than a subtraction per expert).
  [[nodiscard]] std::uint32_t pick(RandomStream& stream) const;
  /// Adds the counts of tokens [first, first + tokens) of `layer`, around the end of the bank, to
  /// `count` [experts]. Any `tokens` >= 0: a multiple of the bank counts the whole bank.
  void add(std::int64_t layer, std::uint32_t first, std::int64_t tokens,
           std::span<std::int32_t> count) const;

 private:
  void add_inside(std::int64_t layer, std::int64_t begin, std::int64_t end,
                  std::span<std::int32_t> count) const;
  void add_tokens(std::int64_t layer, std::int64_t begin, std::int64_t end, std::int32_t sign,
                  std::span<std::int32_t> count) const;

  const TokenBank* bank_;
  std::size_t blocks_;                 ///< Whole blocks of the bank.
  std::vector<std::uint16_t> before_;  ///< [layers * (blocks + 1) * experts], modulo 2^16.
};

}  // namespace moesim::routing
