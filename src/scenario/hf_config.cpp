#include "scenario/hf_config.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/check.h"
#include "core/text.h"

namespace moesim::scenario {
namespace {

using google::protobuf::Value;

constexpr std::size_t kMostBytes = std::size_t{4} << 20;
constexpr int kMostLevels = 32;

/// Copies `json` with NaN and Infinity outside of texts as null; empty result: nested too deeply.
std::string plain_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  int level = 0;
  bool in_text = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_text) {
      out += c;
      if (c == '\\' && i + 1 < json.size()) {
        out += json[++i];
      } else if (c == '"') {
        in_text = false;
      }
      continue;
    }
    if (c == '"') in_text = true;
    if (c == '{' || c == '[') ++level;
    if (c == '}' || c == ']') --level;
    if (level > kMostLevels) return {};
    bool replaced = false;
    for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
      if (!replaced && json.substr(i).starts_with(word)) {
        out += "null";
        i += word.size() - 1;
        replaced = true;
      }
    }
    if (!replaced) out += c;
  }
  return out;
}

}  // namespace

struct HfConfig::Document {
  std::string file;
  google::protobuf::Struct root;
  std::vector<Diagnostic> diagnostics;
};

HfConfig::HfConfig(std::string_view json, const std::string& file)
    : document_(std::make_shared<Document>()), fields_(&document_->root) {
  document_->file = file;
  const auto refuse = [&](std::string message, std::string hint) {
    throw InputError(
        Diagnostic{.file = file, .message = std::move(message), .hint = std::move(hint)});
  };
  if (json.size() > kMostBytes) refuse("is larger than 4 MiB", "give the model's config.json");
  const std::string plain = plain_json(json);
  if (plain.empty()) {
    refuse(json.empty() ? "is empty" : "nests more than 32 levels", "give the model's config.json");
  }
  const auto status = google::protobuf::util::JsonStringToMessage(plain, &document_->root);
  if (!status.ok()) {
    std::string reason(status.message().data(), status.message().size());
    refuse("is no JSON object: " + reason.substr(0, reason.find('\n')),
           "give the model's config.json");
  }
}

HfConfig::HfConfig(std::shared_ptr<Document> document, const google::protobuf::Struct* fields,
                   std::string prefix)
    : document_(std::move(document)), fields_(fields), prefix_(std::move(prefix)) {}

const std::string& HfConfig::file() const { return document_->file; }

const Value* HfConfig::find(const std::string& key) const {
  const auto at = fields_->fields().find(key);
  if (at == fields_->fields().end() || at->second.kind_case() == Value::kNullValue) return nullptr;
  return &at->second;
}

bool HfConfig::has(const std::string& key) const { return find(key) != nullptr; }

void HfConfig::error(const std::string& key, std::string message, std::string hint) const {
  auto& found = document_->diagnostics;
  const bool known = std::any_of(found.begin(), found.end(), [&](const Diagnostic& d) {
    return d.field == prefix_ + key && d.message == message;
  });
  if (known || found.size() >= 100) return;
  found.push_back({.file = document_->file,
                   .field = prefix_ + key,
                   .message = std::move(message),
                   .hint = std::move(hint)});
}

void HfConfig::throw_if_wrong() const {
  if (!document_->diagnostics.empty()) throw InputError(document_->diagnostics);
}

std::int64_t HfConfig::integer_or(const std::string& key, std::int64_t fallback,
                                  std::int64_t most) const {
  const Value* value = find(key);
  if (value == nullptr) return fallback;
  const double number = value->kind_case() == Value::kNumberValue ? value->number_value() : -1.0;
  if (number >= 0.0 && number <= static_cast<double>(most) && number == std::floor(number)) {
    return static_cast<std::int64_t>(number);
  }
  error(key, "is not a whole number from 0 to " + std::to_string(most), "correct it");
  return fallback;
}

std::int64_t HfConfig::integer(const std::string& key, std::int64_t most) const {
  if (!has(key)) {
    error(key, "is missing", "add it: its value cannot be guessed");
    return 1;
  }
  const std::int64_t value = integer_or(key, 1, most);
  if (value > 0) return value;
  error(key, "is 0", "give a whole number above 0");
  return 1;
}

std::int64_t HfConfig::integer_of(std::initializer_list<const char*> keys) const {
  for (const char* key : keys) {
    if (has(key)) return integer(key);
  }
  return integer(*keys.begin());
}

double HfConfig::real(const std::string& key) const {
  const Value* value = find(key);
  if (value != nullptr && value->kind_case() == Value::kNumberValue &&
      std::abs(value->number_value()) < 1e9) {
    return value->number_value();
  }
  error(key, value == nullptr ? "is missing" : "is not a number", "add it as a number");
  return 1.0;
}

bool HfConfig::flag(const std::string& key, bool fallback) const {
  const Value* value = find(key);
  if (value == nullptr) return fallback;
  if (value->kind_case() == Value::kBoolValue) return value->bool_value();
  error(key, "is neither true nor false", "correct it");
  return fallback;
}

std::string HfConfig::text(const std::string& key) const {
  const Value* value = find(key);
  if (value == nullptr) return {};
  if (value->kind_case() == Value::kStringValue) return value->string_value();
  error(key, "is not a text", "correct it");
  return {};
}

const google::protobuf::ListValue* HfConfig::list(const std::string& key, std::int64_t size) const {
  const Value* value = find(key);
  if (value == nullptr || value->kind_case() != Value::kListValue) {
    error(key, value == nullptr ? "is missing" : "is not a list", "give one entry per layer");
    return nullptr;
  }
  if (size == kAnySize || value->list_value().values_size() == size) return &value->list_value();
  error(key, "has " + std::to_string(value->list_value().values_size()) + " entries",
        "give " + std::to_string(size) + ", one per layer");
  return nullptr;
}

std::vector<std::int64_t> HfConfig::integers(const std::string& key, std::int64_t size) const {
  const google::protobuf::ListValue* values = list(key, size);
  const std::int64_t count =
      values != nullptr ? values->values_size() : std::max(size, std::int64_t{0});
  std::vector<std::int64_t> out(static_cast<std::size_t>(count), 0);
  for (std::size_t i = 0; values != nullptr && i < out.size(); ++i) {
    const Value& value = values->values(static_cast<int>(i));
    const double number = value.number_value();
    if (value.kind_case() != Value::kNumberValue || number != std::floor(number) || number < 0.0 ||
        number > static_cast<double>(kMostShape)) {
      error(key + "[" + std::to_string(i) + "]", "is not a whole number of 0 or more",
            "correct it");
      break;
    }
    out[i] = static_cast<std::int64_t>(number);
  }
  return out;
}

std::vector<std::string> HfConfig::texts(const std::string& key, std::int64_t size) const {
  std::vector<std::string> out(static_cast<std::size_t>(size));
  const google::protobuf::ListValue* values = list(key, size);
  for (std::size_t i = 0; values != nullptr && i < out.size(); ++i) {
    out[i] = values->values(static_cast<int>(i)).string_value();
  }
  return out;
}

bool HfConfig::is_object(const std::string& key) const {
  const Value* value = find(key);
  return value != nullptr && value->kind_case() == Value::kStructValue;
}

HfConfig HfConfig::object(const std::string& key) const {
  MOESIM_CHECK(is_object(key), "a part of a config is read that is no object");
  return {document_, &find(key)->struct_value(), prefix_ + key + "."};
}

std::vector<HfConfig> HfConfig::objects(const std::string& key, std::int64_t size) const {
  std::vector<HfConfig> out;
  const google::protobuf::ListValue* values = list(key, size);
  for (int i = 0; values != nullptr && i < values->values_size(); ++i) {
    out.push_back(HfConfig(document_, &values->values(i).struct_value(),
                           prefix_ + key + "[" + std::to_string(i) + "]."));
  }
  return out;
}

}  // namespace moesim::scenario
