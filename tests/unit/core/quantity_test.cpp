#include "core/quantity.h"

#include <rapidcheck.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "tests/support/catch.h"

namespace moesim {
namespace {

using namespace moesim::literals;
using moesim::test::contains_text;
using moesim::test::WithinRel;

template <class Q>
Q value_of(const Parsed<Q>& parsed) {
  if (const auto* error = std::get_if<QuantityError>(&parsed)) FAIL(error->message);
  return std::get<Q>(parsed);
}

/// Message and hint joined; "" if the text was accepted.
template <class Q>
std::string error_of(const Parsed<Q>& parsed) {
  const auto* error = std::get_if<QuantityError>(&parsed);
  return error == nullptr ? "" : error->message + "; " + error->hint;
}

struct Good {
  std::string_view text;
  double base;
};

template <class Q>
void check_table(Parsed<Q> (*parse)(std::string_view), std::initializer_list<Good> table) {
  for (const Good& row : table) {
    CAPTURE(std::string(row.text));
    CHECK_THAT(value_of(parse(row.text)).base(), WithinRel(row.base, 1e-15));
  }
}

TEST_CASE("quantity: every accepted unit", "[core][oracle]") {
  check_table(parse_seconds, {{"7 ps", 7e-12},
                              {"7 ns", 7e-9},
                              {"7 us", 7e-6},
                              {"50 ms", 0.05},
                              {"1.5 s", 1.5},
                              {"2 min", 120},
                              {"2 h", 7200},
                              {"2 d", 172800}});
  check_table(parse_bytes, {{"3 B", 3},
                            {"3 kB", 3e3},
                            {"3 MB", 3e6},
                            {"3 GB", 3e9},
                            {"3 TB", 3e12},
                            {"3 KiB", 3072},
                            {"3 MiB", 3145728},
                            {"80 GiB", 85899345920},
                            {"1 TiB", 1099511627776}});
  check_table(parse_bandwidth, {{"900 GB/s", 9e11},
                                {"3.35 TB/s", 3.35e12},
                                {"400 Gb/s", 5e10},
                                {"400 Gbit/s", 5e10},
                                {"8 Mb/s", 1e6},
                                {"1.6 Tbit/s", 2e11},
                                {"1 GiB/s", 1073741824},
                                {"5 B/s", 5}});
  check_table(parse_flops, {{"2 FLOP/s", 2},
                            {"2 GFLOP/s", 2e9},
                            {"989 TFLOP/s", 9.89e14},
                            {"4.5 PFLOP/s", 4.5e15},
                            {"1 EFLOP/s", 1e18},
                            {"1979 TOP/s", 1.979e15}});
  // 1 USD/h = 1/3600 USD/s; a month is 730 h, a year 8760 h.
  check_table(
      parse_price_rate,
      {{"3.6 USD/h", 1e-3}, {"2628 USD/month", 1e-3}, {"31536 USD/year", 1e-3}, {"2 USD/s", 2}});
  check_table(parse_dollars, {{"30000 USD", 30000}});
  check_table(parse_rate, {{"10 req/s", 10},
                           {"120 req/min", 2},
                           {"7200 req/h", 2},
                           {"0.5 /s", 0.5},
                           {"1/s", 1},
                           {"30 /min", 0.5}});
  check_table(parse_power, {{"700 W", 700}, {"10.2 kW", 10200}, {"5 MW", 5e6}});
}

TEST_CASE("quantity: forms of the number", "[core][oracle]") {
  check_table(parse_bytes, {{"80GiB", 85899345920},
                            {"  80   GiB  ", 85899345920},
                            {"80\tGiB", 85899345920},
                            {"1e3 B", 1000},
                            {"1.5e+3B", 1500},
                            {".5 kB", 500},
                            {"5. kB", 5000},
                            {"0 B", 0},
                            {"-3 kB", -3000},
                            {"1e300 B", 1e300}});
}

TEST_CASE("quantity: text and literal give the same bits", "[core]") {
  CHECK(value_of(parse_seconds("50 ms")) == 50_ms);
  CHECK(value_of(parse_seconds("0.7 us")) == 0.7_us);
  CHECK(value_of(parse_bytes("80 GiB")) == 80_GiB);
  CHECK(value_of(parse_bandwidth("400 Gb/s")) == 400_Gbitps);
  CHECK(value_of(parse_price_rate("2.69 USD/h")) == 2.69_USDph);
}

TEST_CASE("quantity: an error names what was found, the accepted units and what to do",
          "[core][oracle]") {
  const std::string units = "accepted units: W, kW, MW";
  CHECK(error_of(parse_power("700")) ==
        "the unit is missing, got \"700\"; " + units + "; add a unit, e.g. \"700 W\"");
  CHECK(error_of(parse_power("700 Wh")) == "unknown unit \"Wh\", got \"700 Wh\"; " + units +
                                               "; write a number and a unit, e.g. \"700 W\"");
  CHECK(error_of(parse_power("700 w")) ==
        "unknown unit \"w\", got \"700 w\"; " + units +
            "; upper and lower case matter in units: write \"W\"");
}

struct Bad {
  std::string_view text;
  std::string_view part;
};

TEST_CASE("quantity: what is not a number is refused", "[core]") {
  for (const Bad& row :
       std::initializer_list<Bad>{{"", "expected a number and a unit"},
                                  {"   ", "expected a number and a unit"},
                                  {"GB/s", "expected a number before the unit"},
                                  {"fast", "expected a number before the unit"},
                                  {"nan GB/s", "expected a number before the unit"},
                                  {"inf GB/s", "expected a number before the unit"},
                                  {"-inf GB/s", "expected a number before the unit"},
                                  {"+5 GB/s", "expected a number before the unit"},
                                  {"--5 GB/s", "expected a number before the unit"},
                                  {"- 5 GB/s", "expected a number before the unit"},
                                  {". GB/s", "expected a number before the unit"},
                                  {"1e400 GB/s", "outside the range"},
                                  {"1e-400 GB/s", "outside the range"},
                                  {"1e301 B/s", "outside the range"},
                                  {"1e-301 B/s", "outside the range"},
                                  {"1e300 GB/s", "outside the range"},
                                  {"1,000 GB/s", "without thousands separators"},
                                  {"1'000 GB/s", "without thousands separators"},
                                  {"1_000 GB/s", "without thousands separators"},
                                  {"0x10 GB/s", "unknown unit \"x10 GB/s\""},
                                  {"900 GB/s extra", "unknown unit \"GB/s extra\""},
                                  {"900 900 GB/s", "unknown unit \"900 GB/s\""}}) {
    CAPTURE(std::string(row.text));
    const std::string error = error_of(parse_bandwidth(row.text));
    CHECK_THAT(error, contains_text(std::string(row.part)));
    CHECK_THAT(error, contains_text("accepted units: B/s, kB/s, MB/s, GB/s"));
  }
}

TEST_CASE("quantity: a near miss gets a pointed hint", "[core][oracle]") {
  CHECK_THAT(error_of(parse_bandwidth("400 Gbps")),
             contains_text("write \"Gb/s\" (bits per second)"));
  CHECK_THAT(error_of(parse_bandwidth("900 GBps")),
             contains_text("write \"GB/s\" (bytes per second)"));
  // Lower case hides whether bits or bytes were meant: name both.
  for (const std::string_view text : {"9 gbps", "9 gb/s"}) {
    CHECK_THAT(error_of(parse_bandwidth(text)),
               contains_text("\"GB/s\" (bytes per second) or \"Gb/s\" (bits per second)"));
  }
  CHECK_THAT(error_of(parse_bandwidth("900 GB")), contains_text("write \"GB/s\""));
  CHECK_THAT(error_of(parse_bytes("80 gib")), contains_text("case matter in units: write \"GiB\""));
  CHECK_THAT(error_of(parse_bytes("80 G")), contains_text("write \"GB\""));
  CHECK_THAT(error_of(parse_bytes("80 GiBs")), contains_text("did you mean \"GiB\"?"));
  CHECK_THAT(error_of(parse_flops("989 TFLOPS")), contains_text("write \"TFLOP/s\""));
  CHECK_THAT(error_of(parse_flops("989 tflops")), contains_text("write \"TFLOP/s\""));
  CHECK_THAT(error_of(parse_seconds("5 seconds")), contains_text("write \"s\""));
  CHECK_THAT(error_of(parse_seconds("5 \xc2\xb5s")), contains_text("write \"us\""));
  CHECK_THAT(error_of(parse_price_rate("2.69 $/hr")), contains_text("write \"USD/h\""));
  CHECK_THAT(error_of(parse_rate("10 rps")), contains_text("write \"req/s\""));
}

TEST_CASE("quantity: errors are one printable line of bounded length", "[core]") {
  const std::string error = error_of(parse_bytes("1 \n\x01" + std::string(100'000, 'x')));
  CHECK(error.size() < 400);
  CHECK(error.find('\n') == std::string::npos);
  CHECK_THAT(error, contains_text("\\x0a\\x01xxx"));
}

TEST_CASE("format: the unit that needs the fewest characters", "[core][oracle]") {
  CHECK(format_seconds(50_ms) == "50 ms");
  CHECK(format_seconds(70_ms) == "70 ms");
  CHECK(format_seconds(90_s) == "90 s");
  CHECK(format_seconds(3600_s) == "1 h");
  CHECK(format_seconds(1.5_us) == "1.5 us");
  CHECK(format_seconds(0_s) == "0 s");
  CHECK(format_bytes(80_GiB) == "80 GiB");
  CHECK(format_bytes(100_GB) == "100 GB");
  CHECK(format_bytes(1024_B) == "1 KiB");
  CHECK(format_bytes(1500_B) == "1.5 kB");
  CHECK(format_bytes(-80_GiB) == "-80 GiB");
  CHECK(format_bandwidth(900_GBps) == "900 GB/s");
  CHECK(format_bandwidth(400_Gbitps) == "50 GB/s");
}

TEST_CASE("format: reads back as the same bits", "[core][property]") {
  CHECK(rc::check([] {
    const auto integer = *rc::gen::inRange<std::int64_t>(-(1LL << 53), 1LL << 53);
    const double mantissa = static_cast<double>(integer) * 0x1p-53;
    const double value = std::ldexp(mantissa, *rc::gen::inRange(-80, 80));
    RC_ASSERT(std::get<Seconds>(parse_seconds(format_seconds(value * kSecond))) == value * kSecond);
    RC_ASSERT(std::get<Bytes>(parse_bytes(format_bytes(value * kByte))) == value * kByte);
    const BytesPerSecond rate = value * kByte / kSecond;
    RC_ASSERT(std::get<BytesPerSecond>(parse_bandwidth(format_bandwidth(rate))) == rate);
  }));
}

TEST_CASE("quantity: any text is either a quantity or an error with a hint", "[core][property]") {
  CHECK(rc::check([](const std::string& text) {
    const auto parsed = parse_seconds(text);
    if (const auto* error = std::get_if<QuantityError>(&parsed)) {
      RC_ASSERT(!error->message.empty());
      RC_ASSERT(!error->hint.empty());
    } else {
      RC_ASSERT(std::isfinite(std::get<Seconds>(parsed).base()));
    }
  }));
}

}  // namespace
}  // namespace moesim
