// Speculative decoding as the scheduler sees it: how many tokens a decode step yields.
//
// Each step drafts `window` tokens for every decoding sequence and verifies them with the token
// that is due in one pass of 1 + window tokens. Draft i is kept if all before it were and the model
// agrees, which happens with probability acceptance[i]; a step yields
//   E = 1 + a1 + a1 a2 + ... + a1 ... aw   tokens on average
// (Leviathan, Kalman, Matias, "Fast inference from transformers via speculative decoding", 2023).
// A lane's steps yield whole numbers of tokens whose running sum is floor(E * steps).
// Omits: the spread between sequences of one step; acceptance that depends on the text.
// Formula, sources and what is left out: docs/models/speculative.md.
// Layer: serving.
#pragma once

#include <cstdint>
#include <vector>

namespace moesim::serving {

/// Where the drafts come from.
enum class DraftMethod : std::uint8_t {
  None,   ///< No speculation.
  Mtp,    ///< The model's own multi-token-prediction module, run once per drafted token.
  Ngram,  ///< Looked up in the sequence's own text by the host: costs no time on the GPU.
};

struct Speculation {
  DraftMethod method = DraftMethod::None;
  /// Probability that draft i is kept when all before it are; one per drafted token.
  std::vector<double> acceptance{};

  [[nodiscard]] bool on() const { return !acceptance.empty(); }
  /// Tokens drafted for each sequence and step.
  [[nodiscard]] std::int32_t window() const { return static_cast<std::int32_t>(acceptance.size()); }
  /// E of the formula; 1 without speculation.
  [[nodiscard]] double tokens_per_step() const {
    double sum = 1;
    double kept = 1;
    for (const double a : acceptance) sum += kept *= a;
    return sum;
  }
  friend bool operator==(const Speculation&, const Speculation&) = default;
};

/// Tokens of one step after another: whole numbers, 1..1 + window, whose sum follows E * steps.
class TokensPerStep {
 public:
  explicit TokensPerStep(const Speculation& speculation)
      : parts_(static_cast<std::int64_t>(speculation.tokens_per_step() * kOne + 0.5)) {}

  [[nodiscard]] std::int64_t next() {
    carried_ += parts_;
    const std::int64_t whole = carried_ / kOne;
    carried_ %= kOne;
    return whole;
  }

 private:
  static constexpr std::int64_t kOne = 1'000'000'000;
  std::int64_t parts_;
  std::int64_t carried_ = 0;
};

}  // namespace moesim::serving
