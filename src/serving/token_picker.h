// Which tokens of a bank the tokens of an iteration are.
//
// A decoding sequence takes a token at random; a prompt's chunk takes adjacent tokens from the
// begin of a request on, so that they share its topic. The chunks of a rank count as equally long.
// The same tokens in all layers: what is alike between layers stays so.
// Omits:  that a sequence keeps its topic from one token to the next.
// Layer:  serving.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "routing/token_bank.h"
#include "serving/context_law.h"

namespace moesim::serving {

class TokenPicker {
 public:
  /// The bank must outlive it.
  TokenPicker(const routing::TokenBank& bank, RandomStream stream)
      : bank_(&bank), stream_(stream) {}
  /// Places in the bank, rank by rank; decoding sequences first. Valid until the next call.
  [[nodiscard]] std::span<const std::uint32_t> pick(std::span<const RankBatch> ranks);
  [[nodiscard]] const routing::TokenBank& bank() const { return *bank_; }
  /// From here on tokens are picked from this bank.
  void draw_from(const routing::TokenBank& bank) { bank_ = &bank; }

 private:
  const routing::TokenBank* bank_;
  RandomStream stream_;
  std::vector<std::uint32_t> tokens_;
};

}  // namespace moesim::serving
