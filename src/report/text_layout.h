// Text in columns: wrapping, padding, and fields of CSV.
//
// Layer: report.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace moesim::report {

/// Widest line of a page.
inline constexpr std::size_t kPageWidth = 100;

/// Characters of UTF-8 text.
[[nodiscard]] std::size_t text_width(std::string_view text);
/// Filled with blanks up to `width` characters, never cut.
[[nodiscard]] std::string left(std::string_view text, std::size_t width);
[[nodiscard]] std::string right(std::string_view text, std::size_t width);
/// Lines of at most `width` characters, broken at blanks (a longer word is broken anywhere); at
/// least one line. Line breaks in the text count as blanks.
[[nodiscard]] std::vector<std::string> wrapped(std::string_view text, std::size_t width);
/// `label` and wrapped `text` beside it, `indent` characters from the left, within kPageWidth.
[[nodiscard]] std::string labelled(std::string_view label, std::string_view text,
                                   std::size_t indent = 12);

/// Quoted if the text holds what would end a field (RFC 4180).
[[nodiscard]] std::string csv_field(const std::string& text);
/// Fields quoted where needed, joined by commas, line break at the end.
[[nodiscard]] std::string csv_row(const std::vector<std::string>& fields);

}  // namespace moesim::report
