#include "workload/trace_time.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <string>

#include "core/check.h"

namespace moesim::workload {
namespace {

constexpr std::int64_t kPicosecondsPerSecond = 1'000'000'000'000;
constexpr double kMaxSeconds = 1e15;
/// SimTime ends at 9.22e6 s.
constexpr std::int64_t kMaxSpanSeconds = 9'000'000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// `width` digits at `at`, or -1.
int digits_at(std::string_view text, std::size_t at, std::size_t width) {
  if (at + width > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + width; ++i) {
    if (!is_digit(text[i])) return -1;
    value = 10 * value + (text[i] - '0');
  }
  return value;
}

struct Fraction {
  std::int64_t picoseconds = 0;
  std::size_t digits = 0;
};

/// Digits after a decimal point; those below 1 ps are dropped.
Fraction read_fraction(std::string_view text) {
  Fraction fraction;
  std::int64_t weight = kPicosecondsPerSecond / 10;
  while (fraction.digits < text.size() && is_digit(text[fraction.digits])) {
    fraction.picoseconds += weight * (text[fraction.digits] - '0');
    weight /= 10;
    ++fraction.digits;
  }
  return fraction;
}

/// Seconds east of UTC of "", "Z", "+HH:MM" or "+HHMM"; empty if garbled.
std::optional<std::int64_t> zone_offset(std::string_view zone) {
  if (zone.empty() || zone == "Z" || zone == "z") return 0;
  if (zone[0] != '+' && zone[0] != '-') return std::nullopt;
  const int hours = digits_at(zone, 1, 2);
  const std::size_t at = zone.size() > 3 && zone[3] == ':' ? 4 : 3;
  const int minutes = digits_at(zone, at, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || zone.size() != at + 2) {
    return std::nullopt;
  }
  const std::int64_t offset = 3600 * hours + 60 * minutes;
  return zone[0] == '+' ? offset : -offset;
}

}  // namespace

std::optional<TraceTime> parse_calendar_time(std::string_view text) {
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':' ||
      (text[10] != ' ' && text[10] != 'T')) {
    return std::nullopt;
  }
  const int year = digits_at(text, 0, 4);
  const int month = digits_at(text, 5, 2);
  const int day = digits_at(text, 8, 2);
  const int hour = digits_at(text, 11, 2);
  const int minute = digits_at(text, 14, 2);
  const int second = digits_at(text, 17, 2);
  if (year < 0 || month < 0 || day < 0 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second < 0 || second > 59) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year{year},
                                         std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok()) return std::nullopt;
  std::string_view rest = text.substr(19);
  Fraction fraction;
  if (!rest.empty() && rest[0] == '.') {
    fraction = read_fraction(rest.substr(1));
    if (fraction.digits == 0) return std::nullopt;
    rest.remove_prefix(1 + fraction.digits);
  }
  const std::optional<std::int64_t> zone = zone_offset(rest);
  if (!zone) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  return TraceTime{.seconds = days * 86400 + hour * 3600 + minute * 60 + second - *zone,
                   .picoseconds = fraction.picoseconds};
}

std::optional<TraceTime> parse_decimal_time(std::string_view text) {
  std::int64_t seconds = 0;
  const char* const end = text.data() + text.size();
  const auto [after, error] = std::from_chars(text.data(), end, seconds);
  if (error == std::errc{} && !text.starts_with('-') && seconds < static_cast<std::int64_t>(1e15)) {
    if (after == end) return TraceTime{.seconds = seconds, .picoseconds = 0};
    if (*after == '.') {
      const auto rest = static_cast<std::size_t>(end - after - 1);
      const Fraction fraction = read_fraction(std::string_view(after + 1, rest));
      if (fraction.digits == rest) {
        return TraceTime{.seconds = seconds, .picoseconds = fraction.picoseconds};
      }
    }
  }
  double value = 0.0;
  const auto [stop, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc{} || stop != end) return std::nullopt;
  return time_from_number(value, 1.0);
}

std::optional<TraceTime> time_from_number(double count, double per_second) {
  if (!std::isfinite(count) || std::abs(count) > kMaxSeconds * per_second) return std::nullopt;
  double whole = std::floor(count / per_second);
  double part = (count - whole * per_second) / per_second;
  auto picoseconds = static_cast<std::int64_t>(std::floor(part * 1e12 + 0.5));
  if (picoseconds < 0) picoseconds = 0;
  auto seconds = static_cast<std::int64_t>(whole);
  if (picoseconds >= kPicosecondsPerSecond) {
    picoseconds -= kPicosecondsPerSecond;
    ++seconds;
  }
  return TraceTime{.seconds = seconds, .picoseconds = picoseconds};
}

std::optional<SimTime> time_between(TraceTime earlier, TraceTime later) {
  MOESIM_DCHECK(earlier <= later, "a span must not be negative");
  const std::int64_t seconds = later.seconds - earlier.seconds;
  if (seconds > kMaxSpanSeconds) return std::nullopt;
  return SimTime::from_picoseconds(seconds * kPicosecondsPerSecond + later.picoseconds -
                                   earlier.picoseconds);
}

}  // namespace moesim::workload
