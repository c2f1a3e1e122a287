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

/// A shape known when compiling; all zero: taken from the router. The numbers drawn are the same.
template <int TopK, int TopGroups, int GroupSize, bool Grouped>
struct KnownShape {
  static constexpr int kTopK = TopK;
  static constexpr int kTopGroups = TopGroups;
  static constexpr int kGroupSize = GroupSize;
  static constexpr bool kGrouped = Grouped;
  [[nodiscard]] static bool matches(const RoutingShape& shape) {
    return shape.top_k == TopK && shape.top_groups == TopGroups &&
           shape.experts == GroupSize * shape.groups && (shape.groups > 1) == Grouped;
  }
};
using AnyShape = KnownShape<0, 0, 0, false>;
using DeepSeekV3Shape = KnownShape<8, 4, 32, true>;
using Top8Of256Shape = KnownShape<8, 1, 256, false>;

/// Calls `action` with the KnownShape that fits.
template <class Action>
void with_known_shape(const RoutingShape& shape, Action&& action) {
  if (DeepSeekV3Shape::matches(shape)) {
    action(DeepSeekV3Shape{});
  } else if (Top8Of256Shape::matches(shape)) {
    action(Top8Of256Shape{});
  } else {
    action(AnyShape{});
  }
}

/// Draws in vain after which the rest of a token is taken one by one.
inline constexpr std::size_t kTries = 4096;

/// The tables of one layer, with sizes as constants where they are known.
template <class Known>
class ExpertRouter::Tables {
 public:
  static constexpr bool kIsKnown = Known::kTopK > 0;

  Tables(const ExpertRouter& router, std::int64_t layer)
      : layout_(router.layout_),
        shape_(router.shape_),
        words_(&router.words_[static_cast<std::size_t>(layer) * router.layout_.words]) {}

  [[nodiscard]] std::size_t top_k() const {
    return kIsKnown ? Known::kTopK : static_cast<std::size_t>(shape_.top_k);
  }
  [[nodiscard]] std::size_t kept() const {
    return kIsKnown ? Known::kTopGroups : static_cast<std::size_t>(shape_.top_groups);
  }
  [[nodiscard]] bool grouped() const { return kIsKnown ? Known::kGrouped : shape_.groups > 1; }

  [[nodiscard]] std::uint32_t choice(std::uint32_t random) const {
    const std::uint32_t column = alias_column(random, layout_.choice_bits);
    return alias_select(random, words_[column], column, words_[column] & 0xffffU);
  }
  [[nodiscard]] std::uint32_t group(std::uint32_t random, std::uint32_t choice) const {
    const unsigned bits = kIsKnown ? alias_bits(Known::kTopGroups) : layout_.group_bits;
    const std::uint32_t word = words_[layout_.groups_of_choice + (std::size_t{choice} << bits) +
                                      alias_column(random, bits)];
    return alias_select(random, word, word >> 8, word) & 0xffU;
  }
  [[nodiscard]] std::uint32_t expert(std::uint32_t random, std::uint32_t group) const {
    const unsigned bits = kIsKnown ? alias_bits(Known::kGroupSize) : layout_.expert_bits;
    const auto size = kIsKnown ? static_cast<std::uint32_t>(Known::kGroupSize)
                               : static_cast<std::uint32_t>(shape_.experts / shape_.groups);
    const std::uint32_t column = alias_column(random, bits);
    const std::uint32_t word = words_[layout_.experts + (std::size_t{group} << bits) + column];
    return alias_select(random, word, group * size + column, word & 0xffffU);
  }

 private:
  Layout layout_;
  RoutingShape shape_;
  const std::uint32_t* words_;
};

template <class Known, class Sink>
void ExpertRouter::draw_known(std::int64_t layer, std::int64_t tokens, RandomStream& stream,
                              Sink&& sink) const {
  MOESIM_DCHECK(layer >= 0 && layer < shape_.moe_layers, "layer out of range");
  MOESIM_DCHECK(Known::kTopK == 0 || Known::matches(shape_), "compiled for another shape");
  const Tables<Known> tables(*this, layer);
  const std::size_t top_k = tables.top_k();
  const std::size_t kept = tables.kept();
  // stamp[e] == token: expert e is already chosen for it. What `chosen` holds beyond top_k is
  // dropped.
  std::array<std::uint32_t, kMaxExperts> stamp;
  std::fill_n(stamp.begin(), shape_.experts, 0U);
  std::array<std::uint16_t, kMaxTopK + 4> chosen;
  RandomStream local = stream;  // In registers: the compiler cannot tell who shares the caller's.

  for (std::uint32_t token = 1; token <= static_cast<std::uint32_t>(tokens); ++token) {
    std::size_t count = 0;
    const std::uint8_t* groups = choice_groups_.data();
    const auto take = [&](std::uint32_t expert) {
      chosen[count] = static_cast<std::uint16_t>(expert);
      count += stamp[expert] != token ? 1U : 0U;
      stamp[expert] = token;
    };
    // Draws that are always needed come first, in loops the compiler can unroll; then the repeats.
    if (!tables.grouped()) {
      const auto draw_two = [&] {
        const std::uint64_t random = local.next();
        take(tables.expert(static_cast<std::uint32_t>(random >> 32), 0));
        take(tables.expert(static_cast<std::uint32_t>(random), 0));
      };
      for (std::size_t i = 0; i < (top_k + 1) / 2; ++i) draw_two();
      for (std::size_t tries = 0; count < top_k && tries < kTries; ++tries) draw_two();
    } else {
      std::uint64_t random = local.next();
      const std::uint32_t choice = tables.choice(static_cast<std::uint32_t>(random));
      groups += choice * kept;
      for (std::size_t i = 0; i < kept; ++i) {
        random = i % 2 == 0 ? random >> 32 : local.next();
        const std::uint32_t expert = tables.expert(static_cast<std::uint32_t>(random), groups[i]);
        chosen[i] =
            static_cast<std::uint16_t>(expert);  // Never a repeat: `take` would cost a third.
        stamp[expert] = token;
      }
      count = kept;
      const auto draw_one = [&] {
        const std::uint64_t pair = local.next();
        const std::uint32_t group = tables.group(static_cast<std::uint32_t>(pair), choice);
        take(tables.expert(static_cast<std::uint32_t>(pair >> 32), group));
      };
      for (std::size_t i = kept; i < top_k; ++i) draw_one();
      for (std::size_t tries = 0; count < top_k && tries < kTries; ++tries) draw_one();
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
  with_known_shape(shape_,
                   [&](auto known) { draw_known<decltype(known)>(layer, tokens, stream, sink); });
}

}  // namespace moesim::routing
