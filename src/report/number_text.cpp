#include "report/number_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>

namespace moesim::report {
namespace {

/// Groups of three from the right.
std::string grouped(const std::string& digits) {
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

/// A number as decimal digits: whole part, and fraction without trailing zeros.
struct Decimal {
  bool negative = false;
  std::string whole;
  std::string fraction;
};

/// `value`, finite and not zero, to `significant` digits.
Decimal decimal(double value, int significant) {
  const std::string text = fmt::format("{:.{}e}", std::fabs(value), significant - 1);
  const std::size_t e = text.find('e');
  int exponent = 0;
  const char* first = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(first, text.data() + text.size(), exponent);
  std::string digits = text.substr(0, 1);
  if (e > 2) digits += text.substr(2, e - 2);
  Decimal d{.negative = value < 0, .whole = "0", .fraction = {}};
  if (exponent < 0) {
    d.fraction = std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
  } else {
    const auto places = static_cast<std::size_t>(exponent) + 1;
    if (digits.size() < places) digits.append(places - digits.size(), '0');
    d.whole = digits.substr(0, places);
    d.fraction = digits.substr(places);
  }
  while (!d.fraction.empty() && d.fraction.back() == '0') d.fraction.pop_back();
  return d;
}

std::string joined(const Decimal& d, const std::string& whole) {
  return (d.negative ? "-" : "") + whole + (d.fraction.empty() ? "" : "." + d.fraction);
}

/// With exactly `places` decimals and grouped thousands.
std::string fixed(double value, int places) {
  const std::string text = fmt::format("{:.{}f}", std::fabs(value), places);
  const std::size_t dot = std::min(text.find('.'), text.size());
  return (value < 0 ? "-" : "") + grouped(text.substr(0, dot)) + text.substr(dot);
}

}  // namespace

std::string number_text(double value, int significant_digits) {
  if (!std::isfinite(value)) return "-";
  if (value == 0.0) return "0";
  const Decimal d = decimal(value, significant_digits);
  return joined(d, grouped(d.whole));
}

std::string count_text(std::int64_t value) {
  const std::string text = fmt::format("{}", value);
  return value < 0 ? "-" + grouped(text.substr(1)) : grouped(text);
}

std::string usd_text(double dollars) {
  const double size = std::fabs(dollars);
  if (!std::isfinite(dollars) || size < 1.0) return number_text(dollars, 4);
  if (size < 9999.995) return fixed(dollars, 2);
  return size < 999999.5 ? fixed(dollars, 0) : number_text(dollars);
}

std::string gb_text(Bytes bytes) {
  const double gb = bytes / 1.0_GB;
  return fixed(gb, std::fabs(gb) < 1000.0 ? 2 : 1) + " GB";
}

std::string scaled_text(double value, const char* unit, int significant_digits) {
  static constexpr const char* kPrefixes[] = {"", "k", "M", "G", "T", "P", "E"};
  std::size_t step = 0;
  // 999.96 to four digits is already 1000: round first.
  const auto rounds_up = [&] {
    const std::string text = number_text(value, significant_digits);
    return text.find(',') != std::string::npos;
  };
  while (step + 1 < std::size(kPrefixes) && rounds_up()) {
    value /= 1000.0;
    ++step;
  }
  return fmt::format("{} {}{}", number_text(value, significant_digits), kPrefixes[step], unit);
}

std::string percent_text(double share) { return number_text(100.0 * share, 3) + " %"; }

std::string plain_number(double value) {
  if (!std::isfinite(value) || value == 0.0) return "0";
  const Decimal d = decimal(value, 6);
  return joined(d, d.whole);
}

}  // namespace moesim::report
