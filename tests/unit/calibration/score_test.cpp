#include "calibration/score.h"

#include <vector>

#include "tests/support/catch.h"

namespace moesim::calibration {

TEST_CASE("a summary counts errors relative to what was measured") {
  // Errors 0.1, 0.5, 0, 1; by nearest rank the median is the second, the 90th the fourth.
  const std::vector<double> measured = {10, 10, 10, 10};
  const std::vector<double> predicted = {11, 5, 10, 20};
  const ErrorSummary summary = summarize(measured, predicted);
  CHECK(summary.rows == 4);
  CHECK(summary.median == Approx(0.1));
  CHECK(summary.p90 == Approx(1.0));
  CHECK(summary.bias == Approx(0.0));  // ratios 0.5, 1, 1.1, 2: the second
  CHECK(summary.low == Approx(0.5));   // measured / predicted: 0.5, 0.909, 1, 2
  CHECK(summary.high == Approx(2.0));
}

TEST_CASE("a prediction that is no number counts as wholly wrong") {
  CHECK(summarize(std::vector<double>{4.0}, std::vector<double>{-1.0}).median == Approx(1.0));
  CHECK(summarize({}, {}).rows == 0);
}

}  // namespace moesim::calibration
