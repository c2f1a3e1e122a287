#include "validation/statistics.h"

#include <vector>

#include "tests/support/catch.h"

namespace moesim::validation {
namespace {

TEST_CASE("error_figures: medians by nearest rank", "[validation]") {
  // Errors +10, -20, +50, -5 %: absolute 5 10 20 50; rank ceil(0.5 * 4) = 2, ceil(0.9 * 4) = 4.
  const std::vector<double> measured = {100, 100, 100, 200};
  const std::vector<double> predicted = {110, 80, 150, 190};
  const ErrorFigures e = error_figures(measured, predicted);
  CHECK(e.rows == 4);
  CHECK(e.median == Approx(0.10));
  CHECK(e.p90 == Approx(0.50));
  // Signed: -20 -5 +10 +50, rank 2.
  CHECK(e.bias == Approx(-0.05));
  // measured / predicted: 0.667 0.909 1.053 1.25, ranks 1 and 4.
  CHECK(e.low == Approx(100.0 / 150.0));
  CHECK(e.high == Approx(1.25));
  CHECK(error_figures({}, {}).rows == 0);
}

TEST_CASE("kendall_tau: pairs ordered alike less those ordered unlike", "[validation]") {
  // 1 2 3 4 against 1 3 2 4: five pairs alike, one unlike: (5 - 1) / 6.
  const std::vector<double> a = {1, 2, 3, 4};
  const std::vector<double> b = {1, 3, 2, 4};
  CHECK(kendall_tau(a, b).value() == Approx(4.0 / 6.0));
  const std::vector<double> down = {4, 3, 2, 1};
  CHECK(kendall_tau(a, down).value() == Approx(-1.0));
  // One tie in the second: 5 alike, none unlike, sqrt(6 * 5) untied.
  const std::vector<double> tied = {1, 2, 2, 3};
  CHECK(kendall_tau(a, tied).value() == Approx(5.0 / std::sqrt(30.0)));
  CHECK(!kendall_tau(a, std::vector<double>{7, 7, 7, 7}));
  CHECK(!kendall_tau(std::vector<double>{1}, std::vector<double>{1}));
}

TEST_CASE("ks_distance: the largest gap of two distribution functions", "[validation]") {
  // After 3 the first stands at 3/4, the second at 0 up to 3.5: gap 0.75 there.
  const std::vector<double> a = {1, 2, 3, 5};
  const std::vector<double> b = {3.5, 4, 6, 7};
  CHECK(ks_distance(a, b) == Approx(0.75));
  CHECK(ks_distance(a, a) == 0.0);
  CHECK(ks_distance(std::vector<double>{1}, std::vector<double>{2}) == 1.0);
  // Equal values step together: {1, 1, 2} against {1, 2, 2}: 2/3 against 1/3 at 1.
  CHECK(ks_distance(std::vector<double>{1, 1, 2}, std::vector<double>{1, 2, 2}) ==
        Approx(1.0 / 3.0));
}

}  // namespace
}  // namespace moesim::validation
