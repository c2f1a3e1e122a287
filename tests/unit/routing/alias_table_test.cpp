#include "routing/alias_table.h"

#include <rapidcheck.h>

#include <cmath>
#include <vector>

#include "tests/support/catch.h"

namespace moesim::routing {
namespace {

/// Probability of each outcome as the table encodes it: each column counts its 65,536 fractions.
std::vector<double> encoded(const std::vector<std::uint32_t>& columns, std::size_t outcomes) {
  std::vector<double> probability(columns.size() + outcomes, 0.0);
  const double unit = 1.0 / 65536.0 / static_cast<double>(columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::uint32_t threshold = columns[i] >> 16;
    probability[i] += threshold * unit;
    probability[columns[i] & 0xffffU] += (65536U - threshold) * unit;
  }
  for (std::size_t i = outcomes; i < probability.size(); ++i) CHECK(probability[i] == 0.0);
  probability.resize(outcomes);
  return probability;
}

TEST_CASE("alias table: the two ends of a 32-bit number choose column and outcome",
          "[routing][oracle]") {
  // Two bits of column: 0b11; fraction 1 of 65,536.
  CHECK(alias_column(0xc0000001U, 2) == 3);
  CHECK(alias_column(0xc0000001U, 0) == 0);
  CHECK(alias_keeps(0xc0000001U, 2U << 16));
  CHECK_FALSE(alias_keeps(0xc0000001U, 1U << 16 | 0xffffU));
  CHECK(alias_bits(1) == 0);
  CHECK(alias_bits(8) == 3);
  CHECK(alias_bits(20) == 5);
}

TEST_CASE("alias table: encodes any weights to within its rounding", "[routing][property]") {
  CHECK(rc::check([] {
    const auto parts =
        *rc::gen::nonEmpty(rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 1000)));
    std::vector<double> weight;
    double sum = 0.0;
    for (const int p : parts) {
      weight.push_back(p);
      sum += p;
    }
    RC_PRE(sum > 0.0);
    std::vector<std::uint32_t> columns(std::size_t{1} << alias_bits(std::ssize(weight)));
    build_alias_table(weight, columns);
    const std::vector<double> probability = encoded(columns, weight.size());
    for (std::size_t i = 0; i < weight.size(); ++i) {
      // One rounding of 2^-16 of a column per column that mentions the outcome.
      RC_ASSERT(std::abs(probability[i] - weight[i] / sum) <= 1.0 / 65536.0);
      if (weight[i] == 0.0) RC_ASSERT(probability[i] == 0.0);
    }
  }));
}

}  // namespace
}  // namespace moesim::routing
