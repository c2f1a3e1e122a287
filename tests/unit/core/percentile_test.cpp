#include "core/percentile.h"

#include <rapidcheck.h>

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "tests/support/aborts.h"
#include "tests/support/catch.h"

namespace moesim {
namespace {

TEST_CASE("percentile: nearest rank of ten values", "[core][oracle]") {
  const std::vector<int> v = {10, 20, 30, 40, 50, 60, 70, 80, 90, 100};
  CHECK(percentile(v, 0) == 10);     // rank max(1, 0)
  CHECK(percentile(v, 10) == 10);    // rank 1
  CHECK(percentile(v, 10.1) == 20);  // ceil(1.01) = 2
  CHECK(percentile(v, 50) == 50);    // rank 5, no interpolation with 60
  CHECK(percentile(v, 99) == 100);   // ceil(9.9) = 10
  CHECK(percentile(v, 100) == 100);
  CHECK(percentile(std::vector<int>{7}, 50) == 7);
}

TEST_CASE("percentile: a rank that is a whole number is not pushed up by rounding",
          "[core][oracle]") {
  // In floating point 0.07 * 100 = 7.000000000000001, whose ceiling is 8.
  CHECK(percentile_rank(100, 7) == 7);
  CHECK(percentile_rank(1000, 99.9) == 999);
  CHECK(percentile_rank(1'000'000'000'000'000'000, 99.9) == 999'000'000'000'000'000);
}

TEST_CASE("percentile_of_counts: equals the percentile of the values spelt out",
          "[core][property]") {
  CHECK(rc::check([] {
    const auto counts = *rc::gen::nonEmpty(
        rc::gen::container<std::vector<std::int64_t>>(rc::gen::inRange<std::int64_t>(0, 5)));
    const double percent = *rc::gen::inRange(0, 1001) / 10.0;
    std::vector<std::pair<int, std::int64_t>> pairs;
    std::vector<int> values;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      pairs.emplace_back(static_cast<int>(i), counts[i]);
      values.insert(values.end(), static_cast<std::size_t>(counts[i]), static_cast<int>(i));
    }
    RC_PRE(!values.empty());
    const int p = percentile_of_counts(pairs, percent);
    RC_ASSERT(p == percentile(values, percent));
    // Definition: at least `percent` of the values are <= p, and fewer are < p (unless p is first).
    const auto n = static_cast<double>(values.size());
    const auto upto = std::upper_bound(values.begin(), values.end(), p) - values.begin();
    const auto below = std::lower_bound(values.begin(), values.end(), p) - values.begin();
    RC_ASSERT(static_cast<double>(upto) * 100.0 >= percent * n - 1e-9);
    RC_ASSERT(below == 0 || static_cast<double>(below) * 100.0 < percent * n + 1e-9);
  }));
}

TEST_CASE("percentile: of nothing, or outside 0..100, is a failed check", "[core]") {
  CHECK(test::aborts([] { (void)percentile(std::vector<int>{}, 50); }));
  CHECK(test::aborts([] { (void)percentile(std::vector<int>{1}, 101); }));
  CHECK(test::aborts([] {
    (void)percentile_of_counts(std::vector<std::pair<int, int>>{{1, 0}}, 50);
  }));
}

}  // namespace
}  // namespace moesim
