// Walker's alias table packed for a branch-free draw: 2^bits columns, one 32-bit word each.
//
// A word holds a 16-bit threshold above a 16-bit payload; a draw takes one 32-bit random number:
// its top `bits` bits choose the column, its low 16 decide between the column's own outcome and
// the payload. Columns beyond the number of outcomes have threshold 0, so any count works.
// Source: A. J. Walker, ACM TOMS 3(3), 1977; construction in linear time: M. D. Vose, IEEE TSE
// 17(9), 1991.
// Omits: probabilities are rounded to 2^-16 of a column (relative error of an average outcome
// 1e-5). Layer: routing.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace moesim::routing {

/// Column of a table of 2^bits that a 32-bit random number points at. Precondition: bits <= 16.
[[nodiscard]] inline std::uint32_t alias_column(std::uint32_t random, unsigned bits) {
  return static_cast<std::uint32_t>(std::uint64_t{random} >> (32 - bits));
}

/// True if the number chooses the column's own outcome, false for the payload of its word.
[[nodiscard]] inline bool alias_keeps(std::uint32_t random, std::uint32_t word) {
  return (random & 0xffffU) < word >> 16;
}

/// `own` if the number keeps the column's own outcome, else `other`. Masks, so that no compiler
/// makes it a branch: every second one would be mispredicted.
[[nodiscard]] inline std::uint32_t alias_select(std::uint32_t random, std::uint32_t word,
                                                std::uint32_t own, std::uint32_t other) {
  const std::uint32_t mask = 0U - static_cast<std::uint32_t>(alias_keeps(random, word));
  return other ^ ((own ^ other) & mask);
}

/// Columns needed for `outcomes`: the power of two that holds them, as exponent.
[[nodiscard]] constexpr unsigned alias_bits(std::int64_t outcomes) {
  return static_cast<unsigned>(std::bit_width(static_cast<std::uint64_t>(outcomes - 1)));
}

/// Fills `columns` (a power of two of them, at least weight.size()) from non-negative weights with
/// a positive sum; the payload of a word is the index of the other outcome. Only + - * / and
/// comparisons: the same table on every machine.
void build_alias_table(std::span<const double> weight, std::span<std::uint32_t> columns);

}  // namespace moesim::routing
