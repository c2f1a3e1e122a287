// Reads the fields of one protobuf message and notes what is wrong with each, with its place.
//
// A MessageScope stands for one message inside a file: it knows the way from the root, so that an
// error can name the path ("model[3].kind[0].attention.heads") and, if the file was parsed with a
// location tree, line and column. Paths and places are only worked out when there is an error.
// Layer: scenario.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/diagnostics.h"
#include "core/quantity.h"
#include "scenario/quantity_field.h"

namespace moesim::scenario {

/// One input file and what was found wrong in it.
struct Document {
  std::string file;
  /// Places of the fields; nullptr: not known, diagnostics then carry no line.
  const google::protobuf::TextFormat::ParseInfoTree* places = nullptr;
  std::vector<Diagnostic> diagnostics = {};
};

class MessageScope {
 public:
  /// The root message of `document`.
  MessageScope(Document& document, const google::protobuf::Message& message);
  /// The message in `field` of `parent`, element `index` if the field is repeated.
  /// `parent` must outlive it.
  MessageScope(const MessageScope& parent, const google::protobuf::Message& message,
               const char* field, int index = -1);

  /// Notes a mistake in `field` of this message ("" = the message itself).
  void error(std::string_view field, std::string message, std::string hint = {}) const;
  [[nodiscard]] bool has(const char* field) const;

  /// Text of the field; an absent or empty one is an error.
  [[nodiscard]] std::string required_text(const char* field) const;
  [[nodiscard]] std::string text(const char* field) const;
  [[nodiscard]] std::vector<std::string> texts(const char* field) const;
  [[nodiscard]] bool flag(const char* field) const;
  /// Whole number within [low, high]; beyond is an error and yields `fallback`.
  [[nodiscard]] std::int64_t number(const char* field, std::int64_t fallback, std::int64_t low,
                                    std::int64_t high) const;
  /// The same; an absent one is an error and yields `low`.
  [[nodiscard]] std::int64_t required_number(const char* field, std::int64_t low,
                                             std::int64_t high) const;
  /// Finite number above `low` (or from it, if included) and at most `most`.
  [[nodiscard]] double real(const char* field, double fallback, double low, double most,
                            LowEnd low_end = LowEnd::Excluded) const;
  [[nodiscard]] double required_real(const char* field, double above, double most) const;

  /// A quantity above zero and, if a range is given, within it; zero if the field is absent.
  template <class Q>
  [[nodiscard]] Q quantity(const char* field, Parsed<Q> (*parse)(std::string_view),
                           const std::optional<QuantityRange>& range = std::nullopt) const {
    if (!has(field)) return Q{};
    const Parsed<Q> parsed = parse(text(field));
    if (const auto* problem = std::get_if<QuantityError>(&parsed)) {
      error(field, problem->message, problem->hint);
      return Q{};
    }
    const Q value = std::get<Q>(parsed);
    if (!(value > Q{})) {
      error(field, "is \"" + text(field) + "\"", "give a quantity above zero");
      return Q{};
    }
    if (range &&
        (value < std::get<Q>(parse(range->low)) || value > std::get<Q>(parse(range->high)))) {
      error(field, "is \"" + text(field) + "\"",
            "give " + std::string(range->low) + " to " + std::string(range->high));
      return Q{};
    }
    return value;
  }
  /// The same; an absent one is an error.
  template <class Q>
  [[nodiscard]] Q required_quantity(
      const char* field, Parsed<Q> (*parse)(std::string_view),
      const std::optional<QuantityRange>& range = std::nullopt) const {
    if (!has(field)) error("", std::string("has no ") + field, "add it, with its unit");
    return quantity(field, parse, range);
  }

 private:
  [[nodiscard]] const google::protobuf::FieldDescriptor& descriptor(const char* field) const;
  [[nodiscard]] std::string path() const;
  [[nodiscard]] const google::protobuf::TextFormat::ParseInfoTree* places() const;

  Document& document_;
  const google::protobuf::Message& message_;
  const MessageScope* parent_ = nullptr;
  const google::protobuf::FieldDescriptor* field_ = nullptr;
  int index_ = -1;
};

}  // namespace moesim::scenario
