// Lines, cells and numbers of plain text.
//
// Layer: interchange (internal).
#pragma once

#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace moesim::interchange {

inline std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

/// Text up to `separator`; moves `rest` behind it. The last piece ends where the text ends.
inline std::string_view next_piece(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view piece = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return piece;
}

/// Next line without its end (LF or CRLF); moves `rest` behind it.
inline std::string_view next_line(std::string_view& rest) {
  std::string_view line = next_piece(rest, '\n');
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

/// Column, from 1, of a part of a line.
inline std::size_t column_of(std::string_view part, std::string_view line) {
  return static_cast<std::size_t>(part.data() - line.data()) + 1;
}

/// The whole text as a number; nothing if it is none or out of range.
template <class Number>
std::optional<Number> parse_number(std::string_view text, int base = 10) {
  Number value{};
  const char* const end = text.data() + text.size();
  std::from_chars_result result{};
  if constexpr (std::is_floating_point_v<Number>) {
    result = std::from_chars(text.data(), end, value);
  } else {
    result = std::from_chars(text.data(), end, value, base);
  }
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

}  // namespace moesim::interchange
