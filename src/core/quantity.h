// Reads quantities as users write them: a number, then a unit ("900 GB/s", "80 GiB", "2.69 USD/h").
//
// A bare number, an unknown unit, NaN, infinity or a number beyond 1e300 is an error whose text
// names the accepted units. Spelling of units is exact: "GB" is 10^9 B, "GiB" 2^30 B, "Gb" 10^9
// bit. Layer: core.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "core/units.h"

namespace moesim {

/// Why a text is not a quantity: what was found and which units are accepted.
struct QuantityError {
  std::string message;
  std::string hint;
};

template <class Q>
using Parsed = std::variant<Q, QuantityError>;

[[nodiscard]] Parsed<Seconds> parse_seconds(std::string_view text);  ///< ps ns us ms s min h d
[[nodiscard]] Parsed<Bytes> parse_bytes(std::string_view text);  ///< B kB MB GB TB KiB MiB GiB TiB
[[nodiscard]] Parsed<BytesPerSecond> parse_bandwidth(
    std::string_view text);  ///< .../s, Gb/s, Gbit/s
[[nodiscard]] Parsed<FlopsPerSecond> parse_flops(
    std::string_view text);  ///< GFLOP/s TFLOP/s PFLOP/s, TOP/s
[[nodiscard]] Parsed<DollarsPerSecond> parse_price_rate(
    std::string_view text);  ///< USD/h USD/month(730 h) USD/year
[[nodiscard]] Parsed<Dollars> parse_dollars(std::string_view text);  ///< USD
[[nodiscard]] Parsed<PerSecond> parse_rate(std::string_view text);   ///< req/s, req/min, req/h, /s
[[nodiscard]] Parsed<Watts> parse_power(std::string_view text);      ///< W kW

/// Shortest text that parses back to the same value, with a fitting unit ("80 GiB").
[[nodiscard]] std::string format_seconds(Seconds value);
[[nodiscard]] std::string format_bytes(Bytes value);
[[nodiscard]] std::string format_bandwidth(BytesPerSecond value);

}  // namespace moesim
