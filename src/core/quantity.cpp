#include "core/quantity.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <span>
#include <system_error>
#include <vector>

#include "core/text.h"

namespace moesim {
namespace {

struct Unit {
  std::string_view name;
  double factor;  ///< To the base unit; the same product as the literals of units.h.
};

/// A frequent way to write an accepted unit that we do not accept.
struct Alias {
  std::string_view written;
  std::string_view meant;
};

/// What one kind of quantity accepts.
struct Kind {
  std::string_view example;
  std::span<const Unit> units;
  std::span<const Alias> aliases;
};

/// True for a size outside 1e-300..1e300, where products would overflow or lose digits.
bool is_extreme(double value) {
  const double size = std::abs(value);
  return size > 1e300 || (size < 1e-300 && size != 0.0);
}

// The first of each list is the base unit, into which every value can be printed exactly.
constexpr Unit kTimeUnits[] = {{"s", 1.0},    {"ms", 1e-3},  {"us", 1e-6},  {"ns", 1e-9},
                               {"ps", 1e-12}, {"min", 60.0}, {"h", 3600.0}, {"d", 86400.0}};
constexpr Alias kTimeAliases[] = {
    {"sec", "s"},      {"secs", "s"},     {"second", "s"},    {"seconds", "s"}, {"msec", "ms"},
    {"usec", "us"},    {"\u00b5s", "us"}, {"\u03bcs", "us"},  {"nsec", "ns"},   {"m", "min"},
    {"minute", "min"}, {"mins", "min"},   {"minutes", "min"}, {"hr", "h"},      {"hrs", "h"},
    {"hour", "h"},     {"hours", "h"},    {"day", "d"},       {"days", "d"}};

constexpr Unit kByteUnits[] = {{"B", 1.0},         {"kB", 1e3},           {"MB", 1e6},
                               {"GB", 1e9},        {"TB", 1e12},          {"KiB", 1024.0},
                               {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0}};
constexpr Alias kByteAliases[] = {{"bytes", "B"}, {"byte", "B"}, {"K", "kB"},    {"M", "MB"},
                                  {"G", "GB"},    {"T", "TB"},   {"kiB", "KiB"}, {"Ki", "KiB"},
                                  {"Mi", "MiB"},  {"Gi", "GiB"}, {"Ti", "TiB"}};

constexpr Unit kBandwidthUnits[] = {
    {"B/s", 1.0},          {"kB/s", 1e3},           {"MB/s", 1e6},
    {"GB/s", 1e9},         {"TB/s", 1e12},          {"KiB/s", 1024.0},
    {"MiB/s", 1048576.0},  {"GiB/s", 1073741824.0}, {"TiB/s", 1099511627776.0},
    {"Mb/s", 1e6 / 8.0},   {"Gb/s", 1e9 / 8.0},     {"Tb/s", 1e12 / 8.0},
    {"Mbit/s", 1e6 / 8.0}, {"Gbit/s", 1e9 / 8.0},   {"Tbit/s", 1e12 / 8.0}};
constexpr Alias kBandwidthAliases[] = {
    {"Bps", "B/s"},   {"kBps", "kB/s"},     {"MBps", "MB/s"},     {"GBps", "GB/s"},
    {"TBps", "TB/s"}, {"GiBps", "GiB/s"},   {"Mbps", "Mb/s"},     {"Gbps", "Gb/s"},
    {"Tbps", "Tb/s"}, {"Mbitps", "Mbit/s"}, {"Gbitps", "Gbit/s"}, {"Tbitps", "Tbit/s"},
    {"MB", "MB/s"},   {"GB", "GB/s"},       {"TB", "TB/s"},       {"GiB", "GiB/s"},
    {"Gb", "Gb/s"},   {"Gbit", "Gbit/s"},   {"GB/sec", "GB/s"},   {"Gbit/sec", "Gbit/s"},
    {"GT/s", "GB/s"}};

constexpr Unit kFlopsUnits[] = {{"FLOP/s", 1.0},   {"MFLOP/s", 1e6},  {"GFLOP/s", 1e9},
                                {"TFLOP/s", 1e12}, {"PFLOP/s", 1e15}, {"EFLOP/s", 1e18},
                                {"GOP/s", 1e9},    {"TOP/s", 1e12},   {"POP/s", 1e15}};
constexpr Alias kFlopsAliases[] = {
    {"FLOPS", "FLOP/s"},   {"GFLOPS", "GFLOP/s"}, {"GFLOPs", "GFLOP/s"}, {"GFLOP", "GFLOP/s"},
    {"TFLOPS", "TFLOP/s"}, {"TFLOPs", "TFLOP/s"}, {"TFLOP", "TFLOP/s"},  {"TFLOPS/s", "TFLOP/s"},
    {"PFLOPS", "PFLOP/s"}, {"PFLOPs", "PFLOP/s"}, {"PFLOP", "PFLOP/s"},  {"EFLOPS", "EFLOP/s"},
    {"TOPS", "TOP/s"},     {"TOPs", "TOP/s"},     {"POPS", "POP/s"},     {"GOPS", "GOP/s"}};

constexpr double kHour = 3600.0;
constexpr Unit kPriceRateUnits[] = {{"USD/s", 1.0},
                                    {"USD/h", 1.0 / kHour},
                                    {"USD/month", 1.0 / (730.0 * kHour)},
                                    {"USD/year", 1.0 / (8760.0 * kHour)}};
constexpr Alias kPriceRateAliases[] = {
    {"$/h", "USD/h"},      {"$/hr", "USD/h"},        {"USD/hr", "USD/h"},
    {"USD/hour", "USD/h"}, {"$/hour", "USD/h"},      {"USD/mo", "USD/month"},
    {"$/mo", "USD/month"}, {"$/month", "USD/month"}, {"USD/yr", "USD/year"},
    {"USD/y", "USD/year"}, {"$/year", "USD/year"},   {"USD", "USD/h"}};

constexpr Unit kDollarUnits[] = {{"USD", 1.0}};
constexpr Alias kDollarAliases[] = {{"$", "USD"}, {"dollar", "USD"}, {"dollars", "USD"}};

constexpr Unit kRateUnits[] = {{"/s", 1.0},    {"/min", 1.0 / 60.0},    {"/h", 1.0 / kHour},
                               {"req/s", 1.0}, {"req/min", 1.0 / 60.0}, {"req/h", 1.0 / kHour}};
constexpr Alias kRateAliases[] = {
    {"rps", "req/s"},        {"qps", "req/s"},      {"Hz", "/s"},
    {"requests/s", "req/s"}, {"req/sec", "req/s"},  {"requests/min", "req/min"},
    {"rpm", "req/min"},      {"req/hour", "req/h"}, {"requests/h", "req/h"},
    {"per second", "req/s"}};

constexpr Unit kPowerUnits[] = {{"W", 1.0}, {"kW", 1e3}, {"MW", 1e6}};
constexpr Alias kPowerAliases[] = {{"watt", "W"}, {"watts", "W"}, {"KW", "kW"}};

constexpr Kind kTime{"50 ms", kTimeUnits, kTimeAliases};
constexpr Kind kBytes{"80 GiB", kByteUnits, kByteAliases};
constexpr Kind kBandwidth{"900 GB/s", kBandwidthUnits, kBandwidthAliases};
constexpr Kind kFlops{"989 TFLOP/s", kFlopsUnits, kFlopsAliases};
constexpr Kind kPriceRate{"2.69 USD/h", kPriceRateUnits, kPriceRateAliases};
constexpr Kind kDollars{"30000 USD", kDollarUnits, kDollarAliases};
constexpr Kind kRate{"10 req/s", kRateUnits, kRateAliases};
constexpr Kind kPower{"700 W", kPowerUnits, kPowerAliases};

bool is_space(char c) { return c == ' ' || c == '\t'; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// The text in quotes, as one printable line of bounded length. Bytes of UTF-8 are kept.
std::string quoted(std::string_view text) {
  constexpr std::size_t kLimit = 40;
  std::string result = "\"";
  std::size_t end = text.size();
  if (end > kLimit) {
    end = kLimit;
    // Do not cut a UTF-8 character in two: 10xxxxxx continues one.
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  }
  for (const char c : text.substr(0, end)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result + (end < text.size() ? "...\"" : "\"");
}

std::string accepted_units(const Kind& kind) {
  std::string list;
  for (const Unit& unit : kind.units) {
    if (!list.empty()) list += ", ";
    list += unit.name;
  }
  return list;
}

/// What the unit is when two accepted spellings differ only in case ("GB/s" and "Gb/s").
std::string meaning(std::string_view unit) {
  const bool rate = unit.ends_with("/s");
  const std::string_view stem = rate ? unit.substr(0, unit.size() - 2) : unit;
  if (stem.ends_with("b")) return rate ? " (bits per second)" : " (bits)";
  if (stem.ends_with("B")) return rate ? " (bytes per second)" : " (bytes)";
  return "";
}

/// A pointed hint for a unit that is not accepted; "" if we have no idea what was meant.
std::string unit_hint(std::string_view found, const Kind& kind) {
  for (const Alias& alias : kind.aliases) {
    if (alias.written == found) {
      return fmt::format("write \"{}\"{}", alias.meant, meaning(alias.meant));
    }
  }
  std::string same;
  for (const Unit& unit : kind.units) {
    if (!equal_ignoring_case(unit.name, found)) continue;
    same += fmt::format("{}\"{}\"{}", same.empty() ? "" : " or ", unit.name, meaning(unit.name));
  }
  if (!same.empty()) return "upper and lower case matter in units: write " + same;
  for (const Alias& alias : kind.aliases) {  // "gbps": what the case would tell is not known
    if (!equal_ignoring_case(alias.written, found)) continue;
    const std::string text = fmt::format("\"{}\"{}", alias.meant, meaning(alias.meant));
    if (same.find(text) == std::string::npos) same += (same.empty() ? "" : " or ") + text;
  }
  if (!same.empty()) return "write " + same;
  if (found.front() == ',' || found.front() == '_' || found.front() == '\'') {
    return "write numbers without thousands separators and with '.' as decimal point";
  }
  std::vector<std::string> names;
  for (const Unit& unit : kind.units) names.emplace_back(unit.name);
  const std::string near = nearest_name(found, names);
  return near.empty() ? "" : fmt::format("did you mean \"{}\"?", near);
}

QuantityError fail(std::string_view what, std::string_view text, const Kind& kind,
                   std::string hint) {
  if (hint.empty()) hint = fmt::format("write a number and a unit, e.g. \"{}\"", kind.example);
  return {fmt::format("{}, got {}; accepted units: {}", what, quoted(text), accepted_units(kind)),
          std::move(hint)};
}

/// Value in base units.
Parsed<double> parse(std::string_view whole, const Kind& kind) {
  const std::string_view text = trim(whole);
  if (text.empty()) return fail("expected a number and a unit", whole, kind, "");
  // from_chars also reads "inf" and "nan": let only digits, '-' and '.' start a number.
  const std::string_view digits = text.front() == '-' ? text.substr(1) : text;
  const bool starts = !digits.empty() &&
                      ((digits.front() >= '0' && digits.front() <= '9') || digits.front() == '.');
  double number = 0.0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (!starts || error == std::errc::invalid_argument) {
    return fail("expected a number before the unit", whole, kind, "");
  }
  const std::string_view unit_text =
      trim(std::string_view(rest, static_cast<std::size_t>(end - rest)));
  if (error == std::errc::result_out_of_range || is_extreme(number)) {
    return fail("the number is outside the range of 1e-300 to 1e300", whole, kind,
                fmt::format("use a larger or smaller unit, e.g. \"{}\"", kind.example));
  }
  if (unit_text.empty()) {
    return fail("the unit is missing", whole, kind,
                fmt::format("add a unit, e.g. \"{}\"", kind.example));
  }
  for (const Unit& unit : kind.units) {
    if (unit.name != unit_text) continue;
    const double value = number * unit.factor;
    if (!is_extreme(value)) return value;
    return fail("the quantity in base units is outside the range of 1e-300 to 1e300", whole, kind,
                fmt::format("e.g. \"{}\" is a plausible one", kind.example));
  }
  return fail(fmt::format("unknown unit {}", quoted(unit_text)), whole, kind,
              unit_hint(unit_text, kind));
}

template <class Q>
Parsed<Q> parse_as(std::string_view text, const Kind& kind) {
  Parsed<double> parsed = parse(text, kind);
  if (auto* error = std::get_if<QuantityError>(&parsed)) return std::move(*error);
  return Q::from_base(std::get<double>(parsed));
}

/// Shortest "number unit" that reads back as exactly `value`; "" if none does in this unit.
std::string exact_text(double value, const Unit& unit) {
  for (int digits = 6; digits <= 17; ++digits) {
    const std::string number = fmt::format("{:.{}g}", value / unit.factor, digits);
    double read = 0.0;
    std::from_chars(number.data(), number.data() + number.size(), read);
    if (read * unit.factor == value) return fmt::format("{} {}", number, unit.name);
  }
  return "";
}

/// Of the units in which the value is at least 1 and which read back exactly, the one with the
/// shortest text; the larger unit wins ties. The base unit always reads back.
std::string format(double value, std::span<const Unit> units) {
  const Unit& base = units.front();
  if (value == 0.0 || !std::isfinite(value)) return fmt::format("{} {}", value, base.name);
  std::string best;
  double best_factor = 0.0;
  for (const Unit& unit : units) {
    if (std::abs(value) < unit.factor) continue;
    std::string text = exact_text(value, unit);
    if (text.empty()) continue;
    const bool tie = text.size() == best.size() && unit.factor > best_factor;
    if (!best.empty() && text.size() >= best.size() && !tie) continue;
    best = std::move(text);
    best_factor = unit.factor;
  }
  return best.empty() ? exact_text(value, base) : best;
}

}  // namespace

Parsed<Seconds> parse_seconds(std::string_view text) { return parse_as<Seconds>(text, kTime); }
Parsed<Bytes> parse_bytes(std::string_view text) { return parse_as<Bytes>(text, kBytes); }
Parsed<BytesPerSecond> parse_bandwidth(std::string_view text) {
  return parse_as<BytesPerSecond>(text, kBandwidth);
}
Parsed<FlopsPerSecond> parse_flops(std::string_view text) {
  return parse_as<FlopsPerSecond>(text, kFlops);
}
Parsed<DollarsPerSecond> parse_price_rate(std::string_view text) {
  return parse_as<DollarsPerSecond>(text, kPriceRate);
}
Parsed<Dollars> parse_dollars(std::string_view text) { return parse_as<Dollars>(text, kDollars); }
Parsed<PerSecond> parse_rate(std::string_view text) { return parse_as<PerSecond>(text, kRate); }
Parsed<Watts> parse_power(std::string_view text) { return parse_as<Watts>(text, kPower); }

std::string format_seconds(Seconds value) { return format(value.base(), kTimeUnits); }
std::string format_bytes(Bytes value) { return format(value.base(), kByteUnits); }
std::string format_bandwidth(BytesPerSecond value) {
  // Bytes only: the first nine of the list.
  return format(value.base(), std::span<const Unit>(kBandwidthUnits).first(9));
}

}  // namespace moesim
