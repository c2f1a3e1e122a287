#include "core/text.h"

#include <limits>
#include <locale>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace moesim {
namespace {

TEST_CASE("to_lower and equal_ignoring_case: ASCII only", "[core][oracle]") {
  CHECK(to_lower("H100-SXM \xc3\x84") == "h100-sxm \xc3\x84");
  CHECK(equal_ignoring_case("GiB/s", "gib/S"));
  CHECK_FALSE(equal_ignoring_case("GiB", "GiB/s"));
  CHECK(equal_ignoring_case("", ""));
}

TEST_CASE("nearest_name: finds what was meant", "[core][oracle]") {
  const std::vector<std::string> gpus = {"a100-80g", "h100-sxm", "h200-sxm", "b200"};
  CHECK(nearest_name("H100-SXM", gpus) == "h100-sxm");  // case costs nothing
  CHECK(nearest_name("h100-smx", gpus) == "h100-sxm");  // one swap; h200 needs one more edit
  CHECK(nearest_name("h100sxm", gpus) == "h100-sxm");   // one insertion
  CHECK(nearest_name("a100-8g", gpus) == "a100-80g");
  CHECK(nearest_name("h300-sxm", gpus) == "h100-sxm");  // 1 edit from two: the first wins
}

TEST_CASE("nearest_name: half of the longer length is too far", "[core][oracle]") {
  // "ab" to "abcd": 2 insertions, half of 4: refused. "abc" to "abcd": 1 < 2: taken.
  CHECK(nearest_name("ab", std::vector<std::string>{"abcd"}).empty());
  CHECK(nearest_name("abc", std::vector<std::string>{"abcd"}) == "abcd");
  // "ba" to "ab" is one swap, half of 2: refused; "abc" to "acb": 1 < 1.5: taken.
  CHECK(nearest_name("ba", std::vector<std::string>{"ab"}).empty());
  CHECK(nearest_name("acb", std::vector<std::string>{"abc"}) == "abc");
  CHECK(nearest_name("", std::vector<std::string>{"abc", ""}).empty());
  CHECK(nearest_name("abc", {}).empty());
}

TEST_CASE("nearest_name: a name of a megabyte is refused at once", "[core]") {
  const std::vector<std::string> gpus = {"a100-80g", "h100-sxm"};
  CHECK(nearest_name(std::string(1 << 20, 'h'), gpus).empty());
}

TEST_CASE("format_number: six significant digits", "[core][oracle]") {
  CHECK(format_number(0.0) == "0");
  CHECK(format_number(-0.0) == "0");
  CHECK(format_number(1.5) == "1.5");
  CHECK(format_number(2.0 / 3.0) == "0.666667");
  CHECK(format_number(-1234.5678) == "-1234.57");
  CHECK(format_number(123456.0) == "123456");
  CHECK(format_number(1234567.0) == "1.23457e+06");
  CHECK(format_number(100.0) == "100");
  CHECK(format_number(1e-7) == "1e-07");
  CHECK(format_number(std::numeric_limits<double>::infinity()) == "inf");
  CHECK(format_number(std::numeric_limits<double>::quiet_NaN()) == "nan");
}

struct GermanPunctuation : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

TEST_CASE("format_number: the locale changes nothing", "[core]") {
  const std::locale before =
      std::locale::global(std::locale(std::locale::classic(), new GermanPunctuation));
  const std::string text = format_number(12345.5);
  std::locale::global(before);
  CHECK(text == "12345.5");
}

}  // namespace
}  // namespace moesim
