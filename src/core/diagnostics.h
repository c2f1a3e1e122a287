// What we tell a user whose input is wrong, and the two exceptions that carry it to `main`.
//
// Printed form: file:line:column: error: field: message; hint.
// Only InputError and IoError cross folder borders; only `cli` catches them.
// Layer: core.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace moesim {

/// One mistake in one place; name the members that are known. Line and column count from 1; 0 means
/// "not known".
struct Diagnostic {
  std::string file{};
  int line = 0;
  int column = 0;
  std::string field{};    ///< Path of the field, e.g. "cluster.nodes[0].gpu"; may be empty.
  std::string message{};  ///< What is wrong and what was found.
  std::string hint{};     ///< What to do; may be empty.
};

/// "file:line:column: error: field: message; hint" on one line (line breaks become blanks). Parts
/// that are empty or not known are left out with their punctuation.
[[nodiscard]] std::string to_string(const Diagnostic& diagnostic);

/// All mistakes of one input, in file order; `what()` has one line for each. Exit code 2.
class InputError : public std::runtime_error {
 public:
  explicit InputError(std::vector<Diagnostic> diagnostics);
  explicit InputError(Diagnostic diagnostic);
  [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

/// A file that cannot be opened, read or written. Exit code 2.
class IoError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace moesim
