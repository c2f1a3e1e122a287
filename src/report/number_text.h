// Numbers as people read them in tables, and as programs read them in CSV files.
//
// Six significant digits unless said otherwise, never an exponent, '.' as decimal point whatever
// the locale. Tables group thousands with ','; CSV fields do not.
// Layer: report.
#pragma once

#include <cstdint>
#include <string>

#include "core/units.h"

namespace moesim::report {

/// "1,234,570", "0.0123", "0". What is not finite is "-".
[[nodiscard]] std::string number_text(double value, int significant_digits = 6);
/// Every digit: "1,234,567".
[[nodiscard]] std::string count_text(std::int64_t value);
/// Dollars: cents from 1 to 10,000 ("1,963.70"), whole dollars above ("87,072"), four digits below
/// ("0.4512").
[[nodiscard]] std::string usd_text(double dollars);
/// "671.03 GB": 10^9 B, two decimals below 1000, one above.
[[nodiscard]] std::string gb_text(Bytes bytes);
/// A value with the SI prefix that leaves 1..999: (7.4e10, "FLOP") is "74 GFLOP".
[[nodiscard]] std::string scaled_text(double value, const char* unit, int significant_digits = 4);
/// "97.3 %".
[[nodiscard]] std::string percent_text(double share);

/// For CSV: six significant digits, no grouping, no exponent: "1234570".
[[nodiscard]] std::string plain_number(double value);

}  // namespace moesim::report
