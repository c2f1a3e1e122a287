// Mistakes found in one input, each with the place where its field stands.
//
// A field is found by its path ("cluster.nodes", "vary[1].field"). A field that is not written in
// the input is reported where the nearest message around it stands; one that came from an override
// is reported as "--set path=value".
// Layer: scenario.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/diagnostics.h"

namespace moesim::scenario {

/// Line and column count from 1; columns count characters, not bytes.
struct Place {
  int line = 1;
  int column = 1;
};

/// "parent.name", or "name" at the root.
[[nodiscard]] std::string join_path(std::string_view parent, std::string_view name);

/// A value of the input as messages show it: in quotes, one line, at most 40 bytes.
[[nodiscard]] std::string shown(std::string_view text);

/// "did you mean X?" for the nearest candidate, or "".
[[nodiscard]] std::string did_you_mean(std::string_view name,
                                       const std::vector<std::string>& candidates);

class Findings {
 public:
  explicit Findings(std::string file) : file_(std::move(file)) {}

  /// Remembers where a field of the file stands.
  void set_place(const std::string& path, Place place) { places_[path] = place; }
  /// From now on `path` and all below it come from this override ("--set a.b=c").
  void set_override(const std::string& path, const std::string& option);

  /// A mistake of the field `path`.
  void error(const std::string& path, std::string message, std::string hint = "");
  /// Something is not there. Said only if nothing was found at `path` or below: a field that was
  /// left out of the message for being wrong is not missing.
  void missing(const std::string& path, std::string message, std::string hint = "");
  /// A mistake at a place of the file.
  void error_at(Place place, const std::string& path, std::string message, std::string hint = "");
  /// A mistake of an override as a whole.
  void override_error(const std::string& option, const std::string& path, std::string message,
                      std::string hint = "");
  /// A mistake in another file (a trace row), reported as it is.
  void add(Diagnostic diagnostic);
  /// The same, reported where `path` stands if the diagnostic names no file of its own.
  void add_below(const std::string& path, Diagnostic diagnostic);

  [[nodiscard]] bool any() const { return !found_.empty() || overflow_ > 0; }
  [[nodiscard]] bool any_at(const std::string& path) const;
  [[nodiscard]] const std::string& file() const { return file_; }
  /// Throws InputError with all mistakes, in file order, overrides after the file; nothing if
  /// there are none. Doubles are said once.
  void throw_if_any() const;

 private:
  [[nodiscard]] Diagnostic located(const std::string& path) const;

  std::string file_;
  std::map<std::string, Place> places_;
  std::map<std::string, std::string> overrides_;
  std::vector<Diagnostic> found_;
  std::size_t overflow_ = 0;
};

}  // namespace moesim::scenario
