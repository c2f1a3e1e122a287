// Counts and positions as indices: the library's containers want size_t, our counts are signed.
//
// Layer: core.
#pragma once

#include <concepts>
#include <cstddef>

#include "core/check.h"

namespace moesim {

/// Precondition (debug builds): not negative.
template <std::integral T>
[[nodiscard]] constexpr std::size_t as_index(T value) {
  MOESIM_DCHECK(value >= 0, "a negative index");
  return static_cast<std::size_t>(value);
}

}  // namespace moesim
