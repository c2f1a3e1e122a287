// Numbers of a published row that a scenario needs, and why it cannot be one.
//
// Layer: validation.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace moesim::validation {

/// Thrown inside plan_row alone.
struct Refused {
  std::string reason;
};

/// The value, or a refusal that it is not published.
[[nodiscard]] double needed(const std::optional<double>& value, const char* what);

/// A number of GPUs.
[[nodiscard]] std::int64_t degree(const std::optional<double>& value, const char* what);

/// A number of tokens or requests, rounded.
[[nodiscard]] std::int64_t tokens(double x);

}  // namespace moesim::validation
