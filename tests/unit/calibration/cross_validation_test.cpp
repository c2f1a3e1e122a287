#include "calibration/cross_validation.h"

#include <cmath>
#include <set>

#include "core/random.h"
#include "tests/support/catch.h"

namespace moesim::calibration {

TEST_CASE("a group hash depends on every part and its place") {
  const std::set<std::uint64_t> hashes = {group_hash({1, 2}), group_hash({2, 1}), group_hash({1}),
                                          group_hash({1, 2, 0})};
  CHECK(hashes.size() == 4);
  CHECK(group_hash({7, 8}) == group_hash({7, 8}));
}

TEST_CASE("groups spread evenly over folds") {
  int in_fold[5] = {};
  for (std::int64_t i = 0; i < 5000; ++i) ++in_fold[mix64(group_hash({i, 3})) % 5];
  for (const int count : in_fold) CHECK(std::abs(count - 1000) < 120);  // 4 standard deviations
}

}  // namespace moesim::calibration
