#include "sweep/placement_study.h"

#include <numeric>

#include "placement/evaluation.h"
#include "scenario/placement_reader.h"
#include "sweep/go_no_go.h"
#include "tests/support/catch.h"

namespace moesim::sweep {
namespace {

/// 4 MoE layers of top-3 of 16 experts on 8 GPUs of 4 nodes, 24 slots.
scenario::PlacementTask tiny(const std::string& more) {
  const std::string folder = std::string(MOESIM_SOURCE_DIR) + "/tests/golden/place_tiny/routing";
  return scenario::read_placement_text(
      "gpus: 8\nnodes: 4\nslots: 24\nbudget: \"100 ms\"\nworkload { instance: \"" + folder +
          "\" }\n" + more,
      {.file_name = "p.txtpb", .folder = "", .may_open_files = true}, {}, "", {});
}

std::int64_t moves(const JudgedPlacement& judged) {
  return std::accumulate(judged.moved.begin(), judged.moved.end(), std::int64_t{0});
}

TEST_CASE("placement study: figures are the judge's, beside what engines start with") {
  const scenario::PlacementTask task = tiny("strategy: \"partition\"\n");
  const PlacementStudy study = study_placement(task);
  CHECK(placement::verify(study.result.placement).empty());
  const placement::Score again =
      placement::evaluate(study.result.placement, task.problem.workloads[0]);
  CHECK(study.result.planned[0].score.balance_mean == again.balance_mean);
  CHECK(study.result.planned[0].score.tokens->copies() == again.tokens->copies());
  REQUIRE(study.beside.size() >= 2);
  CHECK(study.beside[0].strategy == "contiguous");
  CHECK(study.beside[1].strategy == "eplb");
  CHECK(study.result.planned[0].balance_bound <= again.balance_mean);
  CHECK(*study.result.planned[0].copies_bound <= again.tokens->copies());
  CHECK(moves(study.result) == 0);
  CHECK_FALSE(study.result.planned[0].times.has_value());
}

TEST_CASE("placement study: rebalancing without a current placement follows the traffic") {
  const scenario::PlacementTask task = tiny("strategy: \"rebalance\"\nmax_moves: 0.2\n");
  const PlacementStudy study = study_placement(task);
  CHECK(moves(study.result) > 0);
  CHECK(moves(study.result) <= 19);  // A fifth of 4 * 24 slots.
  // Before the moves the plan stood worse under the later loads.
  const auto& later = study.result.later[0].score;
  const auto old = std::find_if(study.beside.begin(), study.beside.end(),
                                [](const auto& b) { return b.strategy != "contiguous"; });
  CHECK(later.balance_mean < old->later[0].score.balance_mean);
}

TEST_CASE("go or no go: the baseline is contiguous with the fewest slots, the gain is of it") {
  const GoNoGo weighed = weigh_placement(tiny("strategy: \"eplb\"\n"));
  CHECK(weighed.options[0].strategy == "contiguous");
  CHECK(weighed.options[0].redundant == 0);
  REQUIRE(weighed.persistence.has_value());
  CHECK(weighed.persistence->correlation > 0.5);
  const auto balance = [&](std::size_t i) {
    return mean_score(weighed.options[i].judged.later).score.balance_mean;
  };
  CHECK(weighed.gain == Approx(1.0 - balance(weighed.best) / balance(0)));
  CHECK(weighed.go == (weighed.gain > kWorthwhile));
  CHECK(weighed.front.size() >= 2);
  CHECK(weighed.front.front().balance.moved_share == 0.0);
  CHECK_FALSE(weighed.front.back().migration.has_value());  // No deployment.
}

}  // namespace
}  // namespace moesim::sweep
