#include "interchange/json_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include "interchange/findings.h"

namespace moesim::interchange {
namespace {

constexpr int kMaxDepth = 1000;
constexpr std::size_t kOffPath = static_cast<std::size_t>(-1);

/// Walks a text by the grammar of JSON, noting where the values on a path start.
class Walk {
 public:
  Walk(std::string_view text, const JsonPath& path) : text_(text), path_(path) {}

  /// True if the text is one JSON value and nothing behind it.
  bool whole() {
    if (!value(0, 0)) return false;
    blanks();
    return at_ == text_.size();
  }
  /// The whole path was found: nothing more to look for.
  [[nodiscard]] bool arrived() const { return !path_.empty() && deepest_ > path_.size(); }
  [[nodiscard]] std::size_t at() const { return std::min(at_, text_.size()); }
  [[nodiscard]] std::size_t found() const { return found_; }

 private:
  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void blanks() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != text_.npos) ++at_;
  }
  bool take(char c) {
    blanks();
    if (peek() != c || at_ >= text_.size()) return false;
    ++at_;
    return true;
  }

  /// `matched`: steps of the path that lead to this value; kOffPath if it lies beside it.
  bool value(std::size_t matched, int depth) {
    blanks();
    if (depth > kMaxDepth) return false;
    if (matched != kOffPath && matched >= deepest_) {
      deepest_ = matched + 1;
      found_ = at_;
      if (arrived()) return false;
    }
    switch (peek()) {
      case '{':
        return object(matched, depth);
      case '[':
        return array(matched, depth);
      case '"':
        return string();
      default:
        return scalar();
    }
  }

  bool object(std::size_t matched, int depth) {
    ++at_;
    if (take('}')) return true;
    do {
      blanks();
      const std::size_t begin = at_ + 1;
      if (peek() != '"' || !string()) return false;
      const std::string_view key = text_.substr(begin, at_ - begin - 1);
      if (!take(':') || !value(next(matched, key), depth + 1)) return false;
    } while (take(','));
    return take('}');
  }

  bool array(std::size_t matched, int depth) {
    ++at_;
    if (take(']')) return true;
    std::size_t index = 0;
    do {
      if (!value(next(matched, index++), depth + 1)) return false;
    } while (take(','));
    return take(']');
  }

  template <class Step>
  [[nodiscard]] std::size_t next(std::size_t matched, Step step) const {
    if (matched == kOffPath || matched >= path_.size()) return kOffPath;
    const auto* wanted = std::get_if<Step>(&path_[matched]);
    return wanted != nullptr && *wanted == step ? matched + 1 : kOffPath;
  }

  bool string() {
    for (++at_; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) return false;
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c == '\\') ++at_;
    }
    return false;
  }

  bool scalar() {
    for (const std::string_view word : {"true", "false", "null"}) {
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return true;
    }
    const std::size_t begin = at_;
    if (peek() == '-') ++at_;
    const bool zero = peek() == '0';
    const std::size_t first = at_;
    if (!digits() || (zero && at_ > first + 1)) {
      at_ = begin;
      return false;
    }
    if (peek() == '.') {
      ++at_;
      if (!digits()) return false;
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (!digits()) return false;
    }
    if (beyond_a_double(text_.substr(begin, at_ - begin))) {
      at_ = begin;
      return false;
    }
    return true;
  }

  static bool beyond_a_double(std::string_view number) {
    double value = 1.0;
    const auto end = std::from_chars(number.data(), number.data() + number.size(), value);
    const std::size_t exponent = number.find_first_of("eE");
    const bool small = exponent != number.npos && number.substr(exponent).find('-') != number.npos;
    return end.ec == std::errc::result_out_of_range && !small;
  }

  bool digits() {
    const std::size_t begin = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > begin;
  }

  std::string_view text_;
  const JsonPath& path_;
  std::size_t at_ = 0;
  std::size_t found_ = 0;
  std::size_t deepest_ = 0;
};

}  // namespace

TextPlace place_at(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto lines = static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t start = before.rfind('\n');
  return {lines + 1, before.size() - (start == std::string_view::npos ? 0 : start + 1) + 1};
}

TextPlace place_in_json(std::string_view text, const JsonPath& path) {
  Walk walk(text, path);
  walk.whole();
  return place_at(text, walk.found());
}

std::optional<std::size_t> mistake_in_json(std::string_view text) {
  const JsonPath nowhere;
  Walk walk(text, nowhere);
  if (walk.whole()) return std::nullopt;
  return walk.at();
}

JsonText::JsonText(std::string_view text, const std::string& file) : text_(text) {
  const auto error = parser_.parse(text.data(), text.size()).get(root_);
  if (error == simdjson::SUCCESS) return;
  const std::optional<std::size_t> offset = mistake_in_json(text);
  const TextPlace at = offset ? place_at(text, *offset) : TextPlace{};
  if (error == simdjson::UTF8_ERROR) refuse(file, 0, 0, "is not UTF-8 text");
  if (!offset) {
    refuse(file, 0, 0, fmt::format("is not JSON: {}", simdjson::error_message(error)));
  }
  const std::string_view rest = text.substr(*offset);
  if (rest.empty()) refuse(file, at.line, at.column, "the JSON text ends too early");
  for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
    if (!rest.starts_with(word)) continue;
    refuse(file, at.line, at.column, fmt::format("{} is no finite number", word));
  }
  const std::string_view line = rest.substr(0, rest.find_first_of("\r\n"));
  refuse(file, at.line, at.column, "is not JSON from here: " + in_quotes(line));
}

std::string shown(simdjson::dom::element value) {
  switch (value.type()) {
    case simdjson::dom::element_type::ARRAY:
      return "a list";
    case simdjson::dom::element_type::OBJECT:
      return "an object";
    case simdjson::dom::element_type::STRING:
      return in_quotes(value.get_string().value());
    default:
      return simdjson::minify(value);
  }
}

std::string field_of(const JsonPath& path) {
  std::string field;
  for (const auto& step : path) {
    if (const auto* index = std::get_if<std::size_t>(&step)) {
      field += fmt::format("[{}]", *index);
    } else {
      field += (field.empty() ? "" : ".") + std::string(std::get<std::string_view>(step));
    }
  }
  return field;
}

}  // namespace moesim::interchange
