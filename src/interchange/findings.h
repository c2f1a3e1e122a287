// Mistakes found in one file, up to a readable number.
//
// Layer: interchange (internal).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/diagnostics.h"

namespace moesim::interchange {

/// A value of the input as messages show it: in quotes, one line, at most 40 bytes.
[[nodiscard]] std::string in_quotes(std::string_view text);

class Findings {
 public:
  explicit Findings(std::string file) : file_(std::move(file)) {}

  /// Line and column count from 1; 0: not known.
  void add(std::size_t line, std::size_t column, std::string field, std::string message,
           std::string hint = "");
  [[nodiscard]] bool any() const { return !found_.empty(); }
  /// No more will be shown: a reader may stop looking.
  [[nodiscard]] bool full() const { return more_ > 0; }
  [[nodiscard]] const std::string& file() const { return file_; }
  /// Throws InputError with all of them, in the order of the file; nothing if there are none.
  void throw_if_any();

 private:
  std::string file_;
  std::vector<Diagnostic> found_;
  std::size_t more_ = 0;
};

/// One mistake that ends reading.
[[noreturn]] void refuse(const std::string& file, std::size_t line, std::size_t column,
                         std::string message, std::string hint = "");

}  // namespace moesim::interchange
