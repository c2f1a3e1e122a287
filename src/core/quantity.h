// Reads quantities as users write them: a number, then a unit ("900 GB/s", "80 GiB", "2.69 USD/h").
//
// Form:    number, optional blanks, unit; the number is decimal ("1.5", "-2", "1e3"), never with a
//          thousands separator, a leading '+', "inf" or "nan". Signs and ranges that make sense are
//          checked where the field is known (`scenario`).
// Errors:  a bare number, an unknown unit, or a size outside 1e-300..1e300 is an error whose text
//          names what was found and the accepted units. Spelling of units is exact: "GB" is 10^9 B,
//          "GiB" 2^30 B, "Gb" 10^9 bit. No locale is consulted.
// Factors: a month is 730 h and a year 8760 h of a price.
// Layer: core.
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

/// ps ns us ms s min h d
[[nodiscard]] Parsed<Seconds> parse_seconds(std::string_view text);
/// B kB MB GB TB KiB MiB GiB TiB
[[nodiscard]] Parsed<Bytes> parse_bytes(std::string_view text);
/// The units of bytes with "/s"; Mb/s Gb/s Tb/s Mbit/s Gbit/s Tbit/s
[[nodiscard]] Parsed<BytesPerSecond> parse_bandwidth(std::string_view text);
/// FLOP/s MFLOP/s GFLOP/s TFLOP/s PFLOP/s EFLOP/s; GOP/s TOP/s POP/s
[[nodiscard]] Parsed<FlopsPerSecond> parse_flops(std::string_view text);
/// USD/s USD/h USD/month USD/year
[[nodiscard]] Parsed<DollarsPerSecond> parse_price_rate(std::string_view text);
/// USD
[[nodiscard]] Parsed<Dollars> parse_dollars(std::string_view text);
/// /s /min /h req/s req/min req/h
[[nodiscard]] Parsed<PerSecond> parse_rate(std::string_view text);
/// W kW MW
[[nodiscard]] Parsed<Watts> parse_power(std::string_view text);

/// Shortest text that parses back to the same value, with a fitting unit ("80 GiB").
[[nodiscard]] std::string format_seconds(Seconds value);
[[nodiscard]] std::string format_bytes(Bytes value);
[[nodiscard]] std::string format_bandwidth(BytesPerSecond value);

}  // namespace moesim
