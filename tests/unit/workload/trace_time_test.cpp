#include "workload/trace_time.h"

#include "tests/support/catch.h"

namespace moesim::workload {
namespace {

TEST_CASE("parse_calendar_time: keeps 100 ns and counts days from 1970", "[workload][oracle]") {
  // 2025-03-01 is day 20,148: 55 years of 365 plus 14 leap days (1972..2024) plus 31 + 28.
  // 55*365 + 14 + 59 = 20,148; * 86,400 + 36,000 s (10:00) = 1,740,823,200.
  const auto time = parse_calendar_time("2025-03-01 10:00:00.1234567");
  REQUIRE(time);
  CHECK(time->seconds == 1'740'823'200);
  CHECK(time->picoseconds == 123'456'700'000);
}

TEST_CASE("parse_calendar_time: all spellings of a zone mean the same moment", "[workload]") {
  const auto utc = parse_calendar_time("2025-03-01T10:00:00Z");
  REQUIRE(utc);
  CHECK(parse_calendar_time("2025-03-01 10:00:00") == utc);
  CHECK(parse_calendar_time("2025-03-01 10:00:00+00:00") == utc);
  CHECK(parse_calendar_time("2025-03-01 12:30:00+02:30") == utc);
  CHECK(parse_calendar_time("2025-03-01 09:00:00-0100") == utc);
}

TEST_CASE("parse_calendar_time: refuses what is no time", "[workload]") {
  const char* text =
      GENERATE("", "not-a-time", "2025-02-29 10:00:00", "2025-13-01 10:00:00",
               "2025-03-01 24:00:00", "2025-03-01 10:60:00", "2025-03-01 10:00:00.",
               "2025-03-01 10:00:00+1", "2025-03-01 10:00:00 x", "2025-03-01_10:00:00",
               "2025-03-01 10:00:-1", "2025-03-01 10:00:00+24:00");
  CAPTURE(text);
  CHECK_FALSE(parse_calendar_time(text));
}

TEST_CASE("parse_decimal_time: reads decimals exactly to the picosecond", "[workload]") {
  CHECK(parse_decimal_time("0.052") == TraceTime{.seconds = 0, .picoseconds = 52'000'000'000});
  CHECK(parse_decimal_time("19440007.0") == TraceTime{.seconds = 19'440'007, .picoseconds = 0});
  CHECK(parse_decimal_time("7") == TraceTime{.seconds = 7, .picoseconds = 0});
  // Digits below a picosecond are dropped.
  CHECK(parse_decimal_time("0.30000000000000004") ==
        TraceTime{.seconds = 0, .picoseconds = 300'000'000'000});
  CHECK(parse_decimal_time("1e-05") == TraceTime{.seconds = 0, .picoseconds = 10'000'000});
}

TEST_CASE("parse_decimal_time: refuses what is no number", "[workload]") {
  const char* text = GENERATE("", "x", "1.5x", "nan", "inf", "1e300", "--1", "1 2");
  CAPTURE(text);
  CHECK_FALSE(parse_decimal_time(text));
}

TEST_CASE("time_between: a span beyond 104 days is none", "[workload]") {
  const TraceTime start{.seconds = 1'740'823'200, .picoseconds = 500'000'000'000};
  const TraceTime next{.seconds = 1'740'823'202, .picoseconds = 250'000'000'000};
  // 2.25 - 0.5 = 1.75 s.
  REQUIRE(time_between(start, next));
  CHECK(time_between(start, next)->picoseconds() == 1'750'000'000'000);
  CHECK_FALSE(time_between(TraceTime{}, start));
}

}  // namespace
}  // namespace moesim::workload
