// Scalar values and names of the schema as texts: what is accepted and what a message says.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <system_error>

#include "core/text.h"
#include "scenario/outline.h"

namespace moesim::scenario {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

/// Result of reading an integer: its size and whether it was one at all.
enum class IntegerText { Good, NotAnInteger, OutOfRange };

/// Decimal, or hexadecimal after 0x. Octal is refused: 010 would surprise.
IntegerText read_magnitude(std::string_view digits, std::uint64_t limit) {
  int base = 10;
  if (digits.starts_with("0x") || digits.starts_with("0X")) {
    digits.remove_prefix(2);
    base = 16;
  } else if (digits.size() > 1 && digits.front() == '0') {
    return IntegerText::NotAnInteger;
  }
  std::uint64_t value = 0;
  const auto [end, code] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (digits.empty() || end != digits.data() + digits.size() ||
      code == std::errc::invalid_argument) {
    return IntegerText::NotAnInteger;
  }
  if (code == std::errc::result_out_of_range || value > limit) return IntegerText::OutOfRange;
  return IntegerText::Good;
}

ValueProblem integer_problem(std::string_view text, bool is_signed, int bits) {
  const std::uint64_t all = std::numeric_limits<std::uint64_t>::max() >> (64 - bits);
  const bool negative = text.starts_with('-');
  const std::string_view digits = negative ? text.substr(1) : text;
  std::uint64_t limit = is_signed ? all / 2 : all;
  if (negative) limit = is_signed ? all / 2 + 1 : 0;
  switch (read_magnitude(digits, limit)) {
    case IntegerText::Good:
      return {};
    case IntegerText::OutOfRange:
      if (negative && !is_signed) return {"must not be negative, got " + std::string(text), ""};
      return {fmt::format("is beyond the range of a whole number of {} bit: {}", bits, shown(text)),
              ""};
    case IntegerText::NotAnInteger:
      break;
  }
  return {fmt::format("expected a whole number, got {}", shown(text)), ""};
}

ValueProblem real_problem(std::string_view text) {
  std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  const std::string lower = to_lower(digits);
  if (lower == "nan" || lower == "inf" || lower == "infinity") {
    return {fmt::format("must be a finite number, got {}", text), ""};
  }
  if (digits.size() > 1 && (digits.back() == 'f' || digits.back() == 'F')) digits.remove_suffix(1);
  double value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || end != digits.data() + digits.size() ||
      code == std::errc::invalid_argument || digits.front() == '-') {
    return {fmt::format("expected a number, got {}", shown(text)), ""};
  }
  if (code == std::errc::result_out_of_range || !std::isfinite(value)) {
    return {fmt::format("is beyond the range of a double: {}", shown(text)), ""};
  }
  return {};
}

ValueProblem enum_problem(const EnumDescriptor& schema, std::string_view text) {
  const std::vector<std::string> names = value_names(schema);
  for (const std::string& name : names) {
    if (name == text) return {};
  }
  return {fmt::format("expected {}, got {}", alternatives(names), shown(text)),
          did_you_mean(text, names)};
}

}  // namespace

std::vector<std::string> field_names(const Descriptor& schema) {
  std::vector<std::string> names;
  for (int i = 0; i < schema.field_count(); ++i) names.push_back(schema.field(i)->name());
  return names;
}

std::vector<std::string> value_names(const EnumDescriptor& schema) {
  std::vector<std::string> names;
  for (int i = 0; i < schema.value_count(); ++i) names.push_back(schema.value(i)->name());
  return names;
}

std::string alternatives(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? " or " : ", ";
    text += names[i];
  }
  return text;
}

std::string unknown_field_hint(std::string_view name, const Descriptor& schema) {
  const std::vector<std::string> names = field_names(schema);
  const std::string suggestion = did_you_mean(name, names);
  if (!suggestion.empty()) return suggestion;
  return names.empty() ? "it takes no fields" : "known: " + alternatives(names);
}

ValueProblem scalar_problem(const FieldDescriptor& field, std::string_view text) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return integer_problem(text, true, 32);
    case FieldDescriptor::CPPTYPE_INT64:
      return integer_problem(text, true, 64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return integer_problem(text, false, 32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return integer_problem(text, false, 64);
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return real_problem(text);
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text == "true" || text == "false") return {};
      return {fmt::format("expected true or false, got {}", shown(text)), ""};
    case FieldDescriptor::CPPTYPE_ENUM:
      return enum_problem(*field.enum_type(), text);
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return {};
  }
  return {};
}

}  // namespace moesim::scenario
