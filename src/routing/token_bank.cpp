#include "routing/token_bank.h"

#include <algorithm>
#include <utility>

namespace moesim::routing {

TokenBank::TokenBank(TokenTrace trace) : trace_(std::move(trace)), tokens_(trace_.tokens()) {
  MOESIM_CHECK(tokens_ > 0 && trace_.rows() > 0, "a bank needs tokens");
  MOESIM_CHECK(tokens_ <= std::int64_t{1} << 31, "a bank's tokens are numbered in 32 bits");
  MOESIM_CHECK(std::ssize(trace_.expert) == trace_.rows() * tokens_ * trace_.top_k,
               "a trace holds top_k experts per token and row");
  for (std::int64_t row = 0; row < trace_.rows(); ++row) {
    MOESIM_CHECK(trace_.layer[static_cast<std::size_t>(row)] == row,
                 "a bank needs tokens of all MoE layers");
  }
  first_of_request_.resize(static_cast<std::size_t>(tokens_));
  std::uint32_t first = 0;
  for (std::size_t t = 0; t < first_of_request_.size(); ++t) {
    if (t > 0 && trace_.request[t] != trace_.request[t - 1]) first = static_cast<std::uint32_t>(t);
    first_of_request_[t] = first;
  }
}

WindowCounts::WindowCounts(const TokenBank& bank)
    : bank_(&bank), blocks_(static_cast<std::size_t>(bank.tokens() / kBlock)) {
  const auto experts = static_cast<std::size_t>(bank.expert_count());
  const auto top_k = static_cast<std::size_t>(bank.top_k());
  const std::size_t of_layer = (blocks_ + 1) * experts;
  before_.assign(static_cast<std::size_t>(bank.layers()) * of_layer, 0);
  for (std::int64_t layer = 0; layer < bank.layers(); ++layer) {
    std::uint16_t* row = &before_[static_cast<std::size_t>(layer) * of_layer];
    const std::uint16_t* chosen = bank.experts(layer, 0);
    for (std::size_t block = 0; block < blocks_; ++block, row += experts) {
      std::uint16_t* next = row + experts;
      std::copy_n(row, experts, next);
      for (std::size_t i = 0; i < static_cast<std::size_t>(kBlock) * top_k; ++i) ++next[*chosen++];
    }
  }
}

std::uint32_t WindowCounts::pick(RandomStream& stream) const {
  const auto choices = std::max<std::uint64_t>(blocks_, 1);
  return static_cast<std::uint32_t>(stream.below(choices)) * static_cast<std::uint32_t>(kBlock);
}

void WindowCounts::add(std::int64_t layer, std::uint32_t first, std::int64_t tokens,
                       std::span<std::int32_t> count) const {
  // Differences modulo 2^16 are right for fewer than 2^16 tokens.
  constexpr std::int64_t kPiece = 32768;
  auto begin = static_cast<std::int64_t>(first);
  while (tokens > 0) {
    const std::int64_t piece = std::min({tokens, kPiece, bank_->tokens() - begin});
    add_inside(layer, begin, begin + piece, count);
    tokens -= piece;
    begin = begin + piece == bank_->tokens() ? 0 : begin + piece;
  }
}

void WindowCounts::add_inside(std::int64_t layer, std::int64_t begin, std::int64_t end,
                              std::span<std::int32_t> count) const {
  // The nearest counted tokens on either side; what lies between is added or taken off again.
  const auto blocks = static_cast<std::int64_t>(blocks_);
  const std::int64_t from = std::min((begin + kBlock / 2) / kBlock, blocks);
  const std::int64_t to = std::min((end + kBlock / 2) / kBlock, blocks);
  if (from >= to) return add_tokens(layer, begin, end, 1, count);
  const std::size_t experts = count.size();
  const std::size_t of_layer = (blocks_ + 1) * experts;
  const std::uint16_t* row = &before_[static_cast<std::size_t>(layer) * of_layer];
  const std::uint16_t* low = row + static_cast<std::size_t>(from) * experts;
  const std::uint16_t* high = row + static_cast<std::size_t>(to) * experts;
  for (std::size_t e = 0; e < experts; ++e) {
    count[e] += static_cast<std::uint16_t>(high[e] - low[e]);
  }
  add_tokens(layer, std::min(begin, from * kBlock), std::max(begin, from * kBlock),
             begin < from * kBlock ? 1 : -1, count);
  add_tokens(layer, std::min(end, to * kBlock), std::max(end, to * kBlock),
             end > to * kBlock ? 1 : -1, count);
}

void WindowCounts::add_tokens(std::int64_t layer, std::int64_t begin, std::int64_t end,
                              std::int32_t sign, std::span<std::int32_t> count) const {
  if (begin == end) return;
  const std::uint16_t* chosen = bank_->experts(layer, begin);
  const std::int64_t choices = (end - begin) * bank_->top_k();
  for (std::int64_t i = 0; i < choices; ++i) count[chosen[i]] += sign;
}

}  // namespace moesim::routing
