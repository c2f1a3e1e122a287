// Small text services: the nearest known name to a misspelt one, and numbers as reports print them.
//
// Layer: core.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace moesim {

/// ASCII lower case.
[[nodiscard]] std::string to_lower(std::string_view text);

/// True if the texts are equal without regard to ASCII case.
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b);

/// The candidate with the smallest edit distance (case-insensitive, insert/delete/replace/swap),
/// or "" if none is closer than half of the longer length. First candidate wins ties.
[[nodiscard]] std::string nearest_name(std::string_view name,
                                       std::span<const std::string> candidates);

/// Six significant digits, no trailing zeros, '.' as decimal point whatever the locale.
[[nodiscard]] std::string format_number(double value);

}  // namespace moesim
