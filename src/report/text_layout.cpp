#include "report/text_layout.h"

#include <algorithm>

namespace moesim::report {
namespace {

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

/// Bytes of the first `characters` characters of `text`.
std::size_t bytes_of(std::string_view text, std::size_t characters) {
  std::size_t at = 0;
  for (; characters > 0 && at < text.size(); --characters) {
    ++at;
    while (at < text.size() && continues_character(text[at])) ++at;
  }
  return at;
}

std::vector<std::string_view> words_of(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  std::vector<std::string_view> words;
  std::size_t at = text.find_first_not_of(kBlanks);
  while (at != std::string_view::npos) {
    const std::size_t end = std::min(text.find_first_of(kBlanks, at), text.size());
    words.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(kBlanks, end);
  }
  return words;
}

}  // namespace

std::size_t text_width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return !continues_character(c); }));
}

std::string left(std::string_view text, std::size_t width) {
  const std::size_t size = text_width(text);
  return std::string(text) + std::string(width > size ? width - size : 0, ' ');
}

std::string right(std::string_view text, std::size_t width) {
  const std::size_t size = text_width(text);
  return std::string(width > size ? width - size : 0, ' ') + std::string(text);
}

std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines(1);
  for (std::string_view word : words_of(text)) {
    const std::size_t used = text_width(lines.back());
    if (used > 0 && used + 1 + text_width(word) > width) lines.emplace_back();
    while (text_width(word) > width) {
      const std::size_t cut = bytes_of(word, width);
      lines.back() = word.substr(0, cut);
      lines.emplace_back();
      word.remove_prefix(cut);
    }
    if (!lines.back().empty()) lines.back() += ' ';
    lines.back() += word;
  }
  return lines;
}

std::string labelled(std::string_view label, std::string_view text, std::size_t indent) {
  std::string page;
  for (const std::string& line : wrapped(text, kPageWidth - indent)) {
    page += left(page.empty() ? label : std::string_view(), indent) + line + "\n";
  }
  return page;
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string csv_row(const std::vector<std::string>& fields) {
  std::string row;
  for (std::size_t i = 0; i < fields.size(); ++i) row += (i > 0 ? "," : "") + csv_field(fields[i]);
  return row + "\n";
}

}  // namespace moesim::report
