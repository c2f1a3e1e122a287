#include "interchange/recorded_load.h"

#include "core/diagnostics.h"
#include "tests/support/catch.h"

namespace moesim::interchange {
namespace {

using test::contains_text;

std::string mistakes_of(const std::string& text) {
  try {
    static_cast<void>(parse_recorded_load(text, "load.csv", 4));
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("recorded load: rows in any order fill a table, absent experts are zero") {
  const auto rows =
      parse_recorded_load("layer,expert,count\r\n1,3,7\n0, 1 ,2.5\n\n", "load.csv", 4);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] == std::vector<double>{0, 2.5, 0, 0});
  CHECK(rows[1] == std::vector<double>{0, 0, 0, 7});
}

TEST_CASE("recorded load: every bad row is named") {
  const std::string found = mistakes_of(
      "layer,expert,count\n0,4,1\n0,1\n0,1,1,1\n-1,0,1\n0,0,nan\n0,0,-1\n0,0,1\n0,0,1\n");
  CHECK_THAT(found, contains_text("load.csv:2:1: error: expert must be 0..3, got \"4\""));
  CHECK_THAT(found, contains_text("load.csv:3:1: error: expected layer,expert,count"));
  CHECK_THAT(found, contains_text("load.csv:4:1: error: expected layer,expert,count"));
  CHECK_THAT(found, contains_text("load.csv:5:1: error: layer must be 0..4095"));
  CHECK_THAT(found, contains_text("load.csv:6:1: error: count must be"));
  CHECK_THAT(found, contains_text("load.csv:7:1: error: count must be"));
  CHECK_THAT(found, contains_text("load.csv:9:1: error: layer 0 expert 0 stands twice"));
  CHECK_THAT(mistakes_of("a,b\n"), contains_text("load.csv:1:1: error: the first line must be"));
  CHECK_THAT(mistakes_of("layer,expert,count\n"), contains_text("the file has no rows"));
  CHECK_THAT(mistakes_of(""), contains_text("the first line must be"));
}

}  // namespace
}  // namespace moesim::interchange
