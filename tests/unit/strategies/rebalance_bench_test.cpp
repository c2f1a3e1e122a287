// Rebalancing after drift on the placement benchmark: what the strategy must reach there.
#include <ctime>

#include "placement/evaluation.h"
#include "strategies/rebalance.h"
#include "tests/support/bench_problem.h"
#include "tests/support/catch.h"
#include "tests/support/placements.h"

namespace moesim::strategies {
namespace {

using moesim::test::placed;
using placement::Placement;

struct Bar {
  std::int64_t ranks;
  std::int64_t slots;
  double most_moved;
  double above_fresh;  ///< Balance over that of a fresh plan.
};

TEST_CASE("rebalance: the benchmark's drifts, near a fresh plan's balance for few moves",
          "[strategies][slow]") {
  if (!test::has_placement_bench()) {
    WARN("skipped: no placement benchmark beside the checkout");
    return;
  }
  for (const std::string name : {"w04_drift", "w05_real_shift"}) {
    const auto train = test::bench_workload(name, "train");
    auto eval = test::bench_workload(name, "eval");
    for (const Bar& bar :
         {Bar{32, 288, 0.12, 1.005}, Bar{32, 288, 0.10, 1.005}, Bar{144, 288, 0.25, 1.02},
          Bar{144, 288, 0.20, 1.02}, Bar{72, 288, 0.25, 1.01}, Bar{32, 320, 0.15, 1.005},
          Bar{320, 320, 0.25, 1.02}}) {
      const auto shape = test::bench_shape(bar.ranks, bar.slots);
      auto problem = test::bench_problem(shape, eval);
      problem.current = placed("eplb_global", shape, train.load, 1);
      const double fresh = evaluate(placed("eplb_global", shape, eval.load, 1), eval).balance_mean;
      const std::clock_t begin = std::clock();
      const Placement placement =
          make_strategy("rebalance")->place(problem, {.most_moved = bar.most_moved});
      const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
      std::int64_t moved = 0;
      for (const std::int64_t n : placement::slots_moved(*problem.current, placement)) moved += n;
      const double share = static_cast<double>(moved) / static_cast<double>(58 * bar.slots);
      const double balance = evaluate(placement, eval).balance_mean;
      INFO(name << " " << bar.ranks << "/" << bar.slots << ": " << balance << " of fresh " << fresh
                << " with " << share << " in " << seconds << " s");
      CHECK(verify(placement).empty());
      CHECK(share <= bar.most_moved);
      CHECK(balance <= fresh * bar.above_fresh);
    }
  }
}

}  // namespace
}  // namespace moesim::strategies
