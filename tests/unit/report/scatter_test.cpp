#include "report/scatter.h"

#include <rapidcheck.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace moesim::report {
namespace {

using moesim::test::contains_text;

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

TEST_CASE("scatter: corners lie in the corners", "[report]") {
  const auto page = lines(scatter({{0, 0, 'a'}, {100, 50, 'b'}}, "x", "y", 40, 14));
  REQUIRE(page.size() == 14);
  CHECK(page[0] == "   y");
  // Ten rows of the plot: the first at y 50, the last at y 0; 35 columns beside " 0 +".
  CHECK(page[1].back() == 'b');
  CHECK(page[1].size() == 39);
  CHECK(page[10].substr(0, 5) == " 0 +a");
  CHECK_THAT(page[12], contains_text("100"));
  CHECK(page[13].back() == 'x');
}

TEST_CASE("scatter: the more important point hides the other", "[report]") {
  const std::string page = scatter({{1, 1, 'A', 2}, {1, 1, 'o', 1}, {2, 2, 'o', 1}}, "x", "y");
  CHECK(std::count(page.begin(), page.end(), 'A') == 1);
  CHECK(std::count(page.begin(), page.end(), 'o') == 1);
}

TEST_CASE("scatter: nothing to draw is no chart", "[report]") {
  CHECK(scatter({}, "x", "y").empty());
}

TEST_CASE("scatter: any points fit into the frame", "[report][property]") {
  CHECK(rc::check([] {
    const auto value = rc::gen::map(rc::gen::inRange(0, 1'000'000'000),
                                    [](int v) { return static_cast<double>(v) / 977.0; });
    const auto raw = *rc::gen::nonEmpty(
        rc::gen::container<std::vector<std::pair<double, double>>>(rc::gen::pair(value, value)));
    std::vector<ScatterPoint> points;
    for (const auto& [x, y] : raw) points.push_back({x, y, 'o', 0});
    const auto page = lines(scatter(points, "x", "y"));
    RC_ASSERT(page.size() == 20U);
    for (const std::string& line : page) RC_ASSERT(line.size() <= 75U);
  }));
}

}  // namespace
}  // namespace moesim::report
