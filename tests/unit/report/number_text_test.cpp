#include "report/number_text.h"

#include <rapidcheck.h>

#include <cmath>
#include <limits>
#include <string>

#include "tests/support/catch.h"

namespace moesim::report {
namespace {

using namespace moesim::literals;

TEST_CASE("number_text: six digits, thousands grouped, never an exponent", "[report]") {
  CHECK(number_text(1234567) == "1,234,570");
  CHECK(number_text(0.0123) == "0.0123");
  CHECK(number_text(0.0) == "0");
  CHECK(number_text(-0.0) == "0");
  CHECK(number_text(-1234.5) == "-1,234.5");
  CHECK(number_text(999999.7) == "1,000,000");
  CHECK(number_text(100) == "100");
  CHECK(number_text(43.017812) == "43.0178");
  CHECK(number_text(1e21) == "1,000,000,000,000,000,000,000");
  CHECK(number_text(1.5e-9) == "0.0000000015");
  CHECK(number_text(1234567, 3) == "1,230,000");
  CHECK(number_text(9.999, 3) == "10");
  CHECK(number_text(std::numeric_limits<double>::infinity()) == "-");
  CHECK(number_text(std::nan("")) == "-");
}

TEST_CASE("count_text: every digit", "[report]") {
  CHECK(count_text(0) == "0");
  CHECK(count_text(999) == "999");
  CHECK(count_text(1000) == "1,000");
  CHECK(count_text(1234567) == "1,234,567");
  CHECK(count_text(-1234567) == "-1,234,567");
}

TEST_CASE("usd_text: cents, whole dollars, fractions of a cent", "[report]") {
  CHECK(usd_text(1963.70) == "1,963.70");
  CHECK(usd_text(2.69) == "2.69");
  CHECK(usd_text(9999.99) == "9,999.99");
  CHECK(usd_text(87072) == "87,072");
  CHECK(usd_text(9999.999) == "10,000");
  CHECK(usd_text(1234567.0) == "1,234,570");
  CHECK(usd_text(0.451234) == "0.4512");
  CHECK(usd_text(0) == "0");
}

TEST_CASE("bytes and rates: in the unit that reads best", "[report]") {
  CHECK(gb_text(671.026_GB) == "671.03 GB");
  CHECK(gb_text(1234.56_GB) == "1,234.6 GB");
  CHECK(scaled_text(74.2e9, "FLOP") == "74.2 GFLOP");
  CHECK(scaled_text(999.96, "B") == "1 kB");
  CHECK(scaled_text(12, "B") == "12 B");
  CHECK(percent_text(0.9731) == "97.3 %");
  CHECK(percent_text(1) == "100 %");
}

TEST_CASE("plain_number: for programs, without grouping", "[report]") {
  CHECK(plain_number(1234567) == "1234570");
  CHECK(plain_number(0.0000123) == "0.0000123");
  CHECK(plain_number(0) == "0");
  CHECK(plain_number(-2.5) == "-2.5");
}

TEST_CASE("plain_number: reads back to within half a sixth digit", "[report][property]") {
  CHECK(rc::check([] {
    const double mantissa = *rc::gen::inRange(100000, 1000000);
    const int exponent = *rc::gen::inRange(-15, 15);
    const double value = mantissa * std::pow(10.0, exponent) * 1.00000037;
    const std::string text = plain_number(value);
    RC_ASSERT(text.find_first_not_of("0123456789.") == std::string::npos);
    RC_ASSERT(std::abs(std::stod(text) - value) <= 5.0001e-6 * value);
  }));
}

}  // namespace
}  // namespace moesim::report
