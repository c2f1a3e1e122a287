#include "scenario/catalog_fields.h"

#include <google/protobuf/descriptor.h>

#include <cmath>
#include <utility>

#include "core/check.h"
#include "core/text.h"

namespace moesim::scenario {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::TextFormat;

MessageScope::MessageScope(Document& document, const Message& message)
    : document_(document), message_(message) {}

MessageScope::MessageScope(const MessageScope& parent, const Message& message, const char* field,
                           int index)
    : document_(parent.document_),
      message_(message),
      parent_(&parent),
      field_(&parent.descriptor(field)),
      index_(index) {}

const FieldDescriptor& MessageScope::descriptor(const char* field) const {
  const FieldDescriptor* found = message_.GetDescriptor()->FindFieldByName(field);
  MOESIM_CHECK(found != nullptr, "a field is read that the message does not have");
  return *found;
}

std::string MessageScope::path() const {
  if (parent_ == nullptr) return {};
  std::string result = parent_->path();
  if (!result.empty()) result += '.';
  result += field_->name();
  if (index_ >= 0) result += "[" + std::to_string(index_) + "]";
  return result;
}

const TextFormat::ParseInfoTree* MessageScope::places() const {
  if (parent_ == nullptr) return document_.places;
  const TextFormat::ParseInfoTree* above = parent_->places();
  return above == nullptr ? nullptr : above->GetTreeForNested(field_, index_);
}

void MessageScope::error(std::string_view field, std::string message, std::string hint) const {
  Diagnostic diagnostic{.file = document_.file,
                        .field = path(),
                        .message = std::move(message),
                        .hint = std::move(hint)};
  TextFormat::ParseLocation at;
  if (!field.empty()) {
    if (!diagnostic.field.empty()) diagnostic.field += '.';
    diagnostic.field += field;
    if (const auto* tree = places()) {
      const FieldDescriptor& where = descriptor(std::string(field).c_str());
      at = tree->GetLocation(&where, where.is_repeated() ? 0 : -1);
    }
  }
  if (at.line < 0 && parent_ != nullptr) {
    if (const auto* tree = parent_->places()) at = tree->GetLocation(field_, index_);
  }
  diagnostic.line = at.line + 1;
  diagnostic.column = at.column + 1;
  document_.diagnostics.push_back(std::move(diagnostic));
}

bool MessageScope::has(const char* field) const {
  return message_.GetReflection()->HasField(message_, &descriptor(field));
}

std::string MessageScope::text(const char* field) const {
  return message_.GetReflection()->GetString(message_, &descriptor(field));
}

std::string MessageScope::required_text(const char* field) const {
  std::string value = text(field);
  if (value.empty()) error("", std::string("has no ") + field, "add it");
  return value;
}

std::vector<std::string> MessageScope::texts(const char* field) const {
  const FieldDescriptor& where = descriptor(field);
  const auto* reflection = message_.GetReflection();
  const int count = reflection->FieldSize(message_, &where);
  std::vector<std::string> values;
  values.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) {
    values.push_back(reflection->GetRepeatedString(message_, &where, i));
  }
  return values;
}

bool MessageScope::flag(const char* field) const {
  return message_.GetReflection()->GetBool(message_, &descriptor(field));
}

std::int64_t MessageScope::number(const char* field, std::int64_t fallback, std::int64_t low,
                                  std::int64_t high) const {
  if (!has(field)) return fallback;
  const FieldDescriptor& where = descriptor(field);
  const auto* reflection = message_.GetReflection();
  const std::int64_t value = where.cpp_type() == FieldDescriptor::CPPTYPE_INT32
                                 ? reflection->GetInt32(message_, &where)
                                 : reflection->GetInt64(message_, &where);
  if (value >= low && value <= high) return value;
  error(field, "is " + std::to_string(value),
        "give a whole number from " + std::to_string(low) + " to " + std::to_string(high));
  return fallback;
}

std::int64_t MessageScope::required_number(const char* field, std::int64_t low,
                                           std::int64_t high) const {
  if (!has(field)) error("", std::string("has no ") + field, "add it");
  return number(field, low, low, high);
}

double MessageScope::real(const char* field, double fallback, double low, double most,
                          LowEnd low_end) const {
  if (!has(field)) return fallback;
  const double value = message_.GetReflection()->GetDouble(message_, &descriptor(field));
  const bool included = low_end == LowEnd::Included;
  if ((included ? value >= low : value > low) && value <= most) return value;
  error(field, "is " + format_number(value),
        std::string("give a number ") + (included ? "of at least " : "above ") +
            format_number(low) + " and at most " + format_number(most));
  return fallback;
}

double MessageScope::required_real(const char* field, double above, double most) const {
  if (!has(field)) error("", std::string("has no ") + field, "add it");
  return real(field, most, above, most);
}

}  // namespace moesim::scenario
