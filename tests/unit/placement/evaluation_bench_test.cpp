#include <array>
#include <fstream>
#include <sstream>
#include <string>

#include "placement/evaluation.h"
#include "tests/support/bench_problem.h"
#include "tests/support/catch.h"

namespace moesim::placement {
namespace {

using moesim::test::bench_shape;
using moesim::test::bench_workload;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

/// What the benchmark's own evaluate.py printed for a placement, with nine digits.
struct Expected {
  std::string workload;
  std::string golden;  ///< Empty: the strided placement.
  std::int64_t ranks = 0;
  std::int64_t slots = 0;
  std::int64_t ranks_per_node = 8;
  std::array<double, 4> balance{};  ///< All layers: train mean, worst, eval mean, worst.
  std::array<double, 5> tokens{};   ///< Copies random, locality, per pick; batch random, locality.
  double batch_optimal = 0.0;       ///< Of baseline_results.csv, four digits; 0: not there.
};

std::vector<Expected> oracle() {
  return {
      {"w01_calibrated",
       "w01_calibrated_G32_P288_global.json",
       32,
       288,
       8,
       {1.006953246, 1.011734009, 1.040344786, 1.063200633},
       {2.716293335, 2.640274048, 5.984100342, 1.091003418, 1.114624023},
       1.0392},
      {"w01_calibrated",
       "w01_calibrated_G32_P288_hierarchical_groups8_nodes4.json",
       32,
       288,
       8,
       {1.117426302, 1.450817108, 1.143166959, 1.473926544},
       {2.371276855, 2.371276855, 6.015655518, 1.192321777, 1.192321777},
       1.1427},
      {"w06_real_decode",
       "w06_real_decode_G144_P288_global.json",
       144,
       288,
       8,
       {1.165904686, 1.513412476, 1.239107145, 1.671112061},
       {6.342605591, 6.253219604, 7.544967651, 1.326873779, 1.368621826},
       1.3206},
      {"w06_real_decode",
       "w06_real_decode_G320_P320_global.json",
       320,
       320,
       8,
       {1.732001754, 2.070541382, 1.832312504, 2.200851440},
       {6.970596313, 6.410110474, 7.793411255, 1.999511719, 2.449951172},
       1.9611},
      {"w03_heavy",
       "",
       72,
       288,
       8,
       {3.004624301, 5.737798691, 2.991474448, 5.812866211},
       {4.854660034, 4.654266357, 7.082595825, 2.777481079, 2.777481079},
       0.0},
      {"w05_real_shift",
       "",
       32,
       320,
       8,
       {2.073373071, 3.103332520, 1.935911442, 2.707038879},
       {2.641891479, 2.183547974, 5.921264648, 1.947265625, 1.947265625},
       0.0},
      {"w04_drift",
       "",
       144,
       288,
       8,
       {3.597455386, 9.186218262, 3.889351352, 8.666290283},
       {6.275100708, 6.156372070, 7.560165405, 3.630981445, 3.630981445},
       0.0},
      {"w02_mild",
       "",
       72,
       288,
       4,
       {1.603613525, 1.997314453, 1.613158489, 2.073858261},
       {6.274383545, 6.159378052, 7.553924561, 1.661270142, 1.661270142},
       0.0},
  };
}

TEST_CASE("evaluate: the benchmark's own figures", "[placement][oracle]") {
  if (!moesim::test::has_placement_bench()) {
    WARN("skipped: no placement benchmark beside the checkout");
    return;
  }
  for (const Expected& expected : oracle()) {
    INFO(expected.workload << " on " << expected.ranks << " ranks, " << expected.golden);
    const PlacementShape shape =
        bench_shape(expected.ranks, expected.slots, expected.ranks_per_node);
    const Placement placement = expected.golden.empty()
                                    ? moesim::test::strided_placement(shape)
                                    : moesim::test::golden_placement(expected.golden, shape);
    REQUIRE(std::ssize(placement.expert_of_slot) == shape.moe_layers * shape.slots());
    const Score train = evaluate(placement, bench_workload(expected.workload, "train"));
    CHECK_THAT(train.balance_mean, WithinAbs(expected.balance[0], 1e-9));
    CHECK_THAT(train.balance_worst, WithinAbs(expected.balance[1], 1e-9));
    const Score score = evaluate(placement, bench_workload(expected.workload, "eval"),
                                 {.batch_optimal = expected.batch_optimal > 0.0});
    CHECK_THAT(score.balance_mean, WithinAbs(expected.balance[2], 1e-9));
    CHECK_THAT(score.balance_worst, WithinAbs(expected.balance[3], 1e-9));
    REQUIRE(score.tokens.has_value());
    CHECK_THAT(score.tokens->copies_random, WithinAbs(expected.tokens[0], 1e-9));
    CHECK_THAT(score.tokens->copies_locality, WithinAbs(expected.tokens[1], 1e-9));
    CHECK_THAT(score.tokens->copies_per_pick, WithinAbs(expected.tokens[2], 1e-9));
    CHECK_THAT(score.tokens->batch_random, WithinAbs(expected.tokens[3], 1e-9));
    CHECK_THAT(score.tokens->batch_locality, WithinAbs(expected.tokens[4], 1e-9));
    if (expected.batch_optimal > 0.0) {
      CHECK_THAT(score.tokens->batch_optimal, WithinAbs(expected.batch_optimal, 5.1e-5));
    }
  }
}

TEST_CASE("even_split_bound: the benchmark's own bounds, balance_lower_bound above them",
          "[placement][oracle]") {
  std::ifstream file(moesim::test::placement_bench_directory() + "/lower_bounds.csv");
  if (!file) {
    WARN("skipped: no placement benchmark beside the checkout");
    return;
  }
  std::string line;
  std::getline(file, line);
  std::string name;
  Workload workload;
  while (std::getline(file, line)) {
    for (char& c : line) c = c == ',' ? ' ' : c;
    std::istringstream words(line);
    std::string next;
    std::int64_t ranks = 0;
    std::int64_t slots = 0;
    double mean = 0.0;
    double worst = 0.0;
    words >> next >> ranks >> slots >> mean >> worst;
    if (next != name) workload = bench_workload(name = next, "train");
    INFO(line);
    double sum = 0.0;
    double largest = 0.0;
    for (std::size_t l = 0; l < 58; ++l) {
      const auto load = std::span(workload.load).subspan(256 * l, 256);
      const double bound = even_split_bound(load, ranks, slots / ranks);
      sum += bound;
      largest = std::max(largest, bound);
      if (l % 8 == 0) CHECK(balance_lower_bound(load, ranks, slots / ranks) >= bound);
    }
    CHECK_THAT(sum / 58.0, WithinAbs(mean, 5.1e-5));
    CHECK_THAT(largest, WithinAbs(worst, 5.1e-5));
  }
}

TEST_CASE(
    "balance_lower_bound: between the even split and the published balancer on two slots a "
    "rank",
    "[placement]") {
  if (!moesim::test::has_placement_bench()) {
    WARN("skipped: no placement benchmark beside the checkout");
    return;
  }
  const Workload train = bench_workload("w06_real_decode", "train");
  const Placement eplb = moesim::test::golden_placement("w06_real_decode_G144_P288_global.json",
                                                        bench_shape(144, 288));
  double even = 0.0;
  double bound = 0.0;
  double reached = 0.0;
  for (std::size_t l = 0; l < 58; l += 4) {
    const auto load = std::span(train.load).subspan(256 * l, 256);
    even += even_split_bound(load, 144, 2);
    const double own = balance_lower_bound(load, 144, 2);
    bound += own;
    const double balanced = balance(std::span(eplb.expert_of_slot).subspan(288 * l, 288), load, 2);
    CHECK(own <= balanced + 1e-9);
    reached += balanced;
  }
  // Closes at least a third of what the even split leaves open.
  CHECK(bound - even > (reached - even) / 3.0);
}

}  // namespace
}  // namespace moesim::placement
