// A Hugging Face config.json, parsed, with checked access to its fields.
//
// Limits: 4 MiB, 32 levels, whole numbers up to 2^40 (shapes are bounded tighter by the catalog).
// The literals NaN and Infinity, which Python writes, are read as null.
// Layer: scenario.
#pragma once

#include <google/protobuf/struct.pb.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/diagnostics.h"

namespace moesim::scenario {

/// One object of the file. Copies are cheap and share the file and the list of mistakes.
class HfConfig {
 public:
  /// Parses `json`. Throws InputError if it is no JSON object within the limits.
  HfConfig(std::string_view json, const std::string& file);

  /// Present and not null.
  [[nodiscard]] bool has(const std::string& key) const;
  /// Whole number from 1 to `most`; a missing or other value is a mistake and yields 1.
  [[nodiscard]] std::int64_t integer(const std::string& key, std::int64_t most = kMostShape) const;
  /// The first of `keys` that is there.
  [[nodiscard]] std::int64_t integer_of(std::initializer_list<const char*> keys) const;
  /// Whole number from 0 to `most`, `fallback` if missing or null.
  [[nodiscard]] std::int64_t integer_or(const std::string& key, std::int64_t fallback,
                                        std::int64_t most = kMostShape) const;
  [[nodiscard]] double real(const std::string& key) const;
  [[nodiscard]] bool flag(const std::string& key, bool fallback = false) const;
  [[nodiscard]] std::string text(const std::string& key) const;
  /// Whole numbers of a list of exactly `size` (kAnySize: of any); else it is a mistake.
  [[nodiscard]] std::vector<std::int64_t> integers(const std::string& key, std::int64_t size) const;
  [[nodiscard]] std::vector<std::string> texts(const std::string& key, std::int64_t size) const;
  /// Object below this one; precondition: is_object(key).
  [[nodiscard]] HfConfig object(const std::string& key) const;
  [[nodiscard]] bool is_object(const std::string& key) const;
  /// Objects of a list of exactly `size`.
  [[nodiscard]] std::vector<HfConfig> objects(const std::string& key, std::int64_t size) const;

  void error(const std::string& key, std::string message, std::string hint = {}) const;
  /// Throws InputError if anything was noted, here or in objects below.
  void throw_if_wrong() const;
  [[nodiscard]] const std::string& file() const;

  static constexpr std::int64_t kAnySize = -1;
  static constexpr std::int64_t kMostShape = std::int64_t{1} << 18;

 private:
  struct Document;
  HfConfig(std::shared_ptr<Document> document, const google::protobuf::Struct* fields,
           std::string prefix);
  [[nodiscard]] const google::protobuf::Value* find(const std::string& key) const;
  [[nodiscard]] const google::protobuf::ListValue* list(const std::string& key,
                                                        std::int64_t size) const;

  std::shared_ptr<Document> document_;
  const google::protobuf::Struct* fields_;
  std::string prefix_;
};

}  // namespace moesim::scenario
