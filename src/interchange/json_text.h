// JSON read as a whole, with the line and column of any value when something is wrong with it.
//
// The parser keeps no places, so they are looked up by walking the text again: only for messages.
// Layer: interchange (internal).
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace moesim::interchange {

/// Line and column count from 1.
struct TextPlace {
  std::size_t line = 1;
  std::size_t column = 1;
};
[[nodiscard]] TextPlace place_at(std::string_view text, std::size_t offset);

/// Keys and indices from the root.
using JsonPath = std::vector<std::variant<std::string_view, std::size_t>>;

/// Where a value stands; the nearest one around it if there is none.
[[nodiscard]] TextPlace place_in_json(std::string_view text, const JsonPath& path);
/// Where a text stops being JSON; nothing if it is.
[[nodiscard]] std::optional<std::size_t> mistake_in_json(std::string_view text);

class JsonText {
 public:
  /// Throws InputError if the text is not JSON. The text must outlive the object.
  JsonText(std::string_view text, const std::string& file);
  [[nodiscard]] simdjson::dom::element root() const { return root_; }
  [[nodiscard]] TextPlace place(const JsonPath& path) const { return place_in_json(text_, path); }

 private:
  std::string_view text_;
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

/// The value as text, cut to what a message can show.
[[nodiscard]] std::string shown(simdjson::dom::element value);

/// "[0][3].expert" as messages name it.
[[nodiscard]] std::string field_of(const JsonPath& path);

}  // namespace moesim::interchange
