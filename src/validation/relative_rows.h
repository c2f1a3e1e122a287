// Which two measurements a relative row compares.
//
// A row "speedup_A_over_B" names layouts ("tp8", "ep96", "pp1", "dp8ep", ...): the pair are the
// rows of its model, GPU, format and lengths that have them. Otherwise the numbers of its notes
// ("22,476 vs 20,025") are looked for among the measured values. Without a pair both sides are made
// from the row itself, if it states all they need; else it is left out. Layer: validation.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "scenario/published_row.h"

namespace moesim::validation {

[[nodiscard]] bool is_relative(const scenario::PublishedRow& row);

struct Pair {
  std::size_t above = 0;  ///< Numbers of rows; the figure is above / below, ...
  std::size_t below = 0;
  bool per_gpu = false;  ///< ... each divided by its GPUs.
};

[[nodiscard]] std::optional<Pair> pair_of(const scenario::PublishedRow& row,
                                          const std::vector<scenario::PublishedRow>& rows);

/// The two sides of a ratio whose runs are not published but stated by the row itself: layouts in
/// its name, GPUs, lengths and load in its columns. A degree that is not named is 1, `ep` without a
/// number all ranks.
struct Sides {
  scenario::PublishedRow above;
  scenario::PublishedRow below;
};
[[nodiscard]] std::optional<Sides> sides_of(const scenario::PublishedRow& row);

}  // namespace moesim::validation
