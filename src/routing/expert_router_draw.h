// The inlined part of ExpertRouter: the draw itself, fused with the caller's sink.
//
// Per token: one choice of kept groups, one sure expert from each, the rest from all kept groups by
// weight, repeats rejected. No branch depends on a random number except "enough experts yet?".
// Random numbers: 32 bits for the choice and each sure expert, 64 bits for each further draw (32 if
// there are no groups).
// Layer: routing.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/check.h"
#include "core/random.h"
#include "routing/alias_table.h"
#include "routing/expert_router.h"

namespace moesim::routing {

template <int TopK, int TopGroups, class Sink>
void ExpertRouter::draw_fixed(std::int64_t layer, std::int64_t tokens, RandomStream& stream,
                              Sink&& sink) const {
  MOESIM_DCHECK(layer >= 0 && layer < shape_.moe_layers, "layer out of range");
  MOESIM_DCHECK(TopGroups != 1 || shape_.groups == 1, "TopGroups 1 stands for no groups at all");
  const std::size_t top_k = TopK > 0 ? TopK : static_cast<std::size_t>(shape_.top_k);
  const std::size_t kept = TopGroups > 0 ? TopGroups : static_cast<std::size_t>(shape_.top_groups);
  const std::uint32_t* const words = &words_[static_cast<std::size_t>(layer) * layout_.words];
  const std::uint32_t* const expert_words = words + layout_.experts;
  const std::uint32_t* const group_words = words + layout_.groups_of_choice;
  const auto size = static_cast<std::uint32_t>(shape_.experts / shape_.groups);
  const unsigned expert_bits = layout_.expert_bits;

  const auto expert_of = [&](std::uint32_t random, std::uint32_t group) {
    const AliasPoint point = alias_point(random, expert_bits);
    const std::uint32_t word = expert_words[(std::size_t{group} << expert_bits) + point.column];
    return point.fraction < word >> 16 ? group * size + point.column : word & 0xffffU;
  };

  // stamp[e] == token + 1: expert e is already chosen for the token. A chosen list may run over by
  // one draw, which is dropped.
  std::array<std::uint32_t, kMaxExperts> stamp;
  std::fill_n(stamp.begin(), shape_.experts, 0U);
  std::array<std::uint16_t, kMaxTopK + 2> chosen;
  RandomStream local =
      stream;  // In registers: the compiler cannot prove the caller's is not shared.

  for (std::uint32_t token = 1; token <= static_cast<std::uint32_t>(tokens); ++token) {
    std::size_t count = 0;
    const std::uint8_t* groups = choice_groups_.data();
    const auto take = [&](std::uint32_t expert) {
      chosen[count] = static_cast<std::uint16_t>(expert);
      count += stamp[expert] != token ? 1U : 0U;
      stamp[expert] = token;
    };
    if (TopGroups == 1 || shape_.groups == 1) {
      for (std::size_t tries = 0; count < top_k && tries < 64 * kMaxTopK; ++tries) {
        const std::uint64_t random = local.next();
        take(expert_of(static_cast<std::uint32_t>(random >> 32), 0));
        take(expert_of(static_cast<std::uint32_t>(random), 0));
      }
    } else {
      std::uint64_t random = local.next();
      const AliasPoint point = alias_point(static_cast<std::uint32_t>(random), layout_.choice_bits);
      const std::uint32_t word = words[point.column];
      const std::uint32_t choice = point.fraction < word >> 16 ? point.column : word & 0xffffU;
      groups += choice * kept;
      for (std::size_t i = 0; i < kept; ++i) {
        random = i % 2 == 0 ? random >> 32 : local.next();
        const std::uint32_t expert = expert_of(static_cast<std::uint32_t>(random), groups[i]);
        chosen[i] = static_cast<std::uint16_t>(expert);
        stamp[expert] = token;
      }
      count = kept;
      const std::uint32_t* const inside = group_words + (std::size_t{choice} << layout_.group_bits);
      for (std::size_t tries = 0; count < top_k && tries < 64 * kMaxTopK; ++tries) {
        random = local.next();
        const AliasPoint at = alias_point(static_cast<std::uint32_t>(random), layout_.group_bits);
        const std::uint32_t pair = inside[at.column];
        const std::uint32_t group = (at.fraction < pair >> 16 ? pair >> 8 : pair) & 0xffU;
        take(expert_of(static_cast<std::uint32_t>(random >> 32), group));
      }
    }
    if (count < top_k) [[unlikely]] {
      RandomStream escaping = local;  // Only a copy has its address taken.
      complete(layer, std::span(groups, kept), escaping, std::span(chosen.data(), top_k), count);
      local = escaping;
    }
    sink(static_cast<const std::uint16_t*>(chosen.data()));
  }
  stream = local;
}

template <class Sink>
void ExpertRouter::draw(std::int64_t layer, std::int64_t tokens, RandomStream& stream,
                        Sink&& sink) const {
  if (shape_.groups == 1 && shape_.top_k == 8) {
    draw_fixed<8, 1>(layer, tokens, stream, sink);
  } else if (shape_.groups > 1 && shape_.top_groups == 4 && shape_.top_k == 8) {
    draw_fixed<8, 4>(layer, tokens, stream, sink);
  } else {
    draw_fixed<0, 0>(layer, tokens, stream, sink);
  }
}

}  // namespace moesim::routing
