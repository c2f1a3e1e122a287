#include "catalog/prediction_error.h"

#include <string>

#include "tests/support/catch.h"

namespace moesim::catalog {
namespace {
using moesim::test::WithinRel;

const Situation kDenseNode{.engine = "A", .architecture = "Hopper"};

/// `count` rows of one family with the ratios first, first + step, ...
void add(std::vector<ScoredFigure>& rows, const std::string& family, int count, double first,
         double step, const Situation& situation = kDenseNode) {
  for (int i = 0; i < count; ++i) {
    rows.push_back({.row = family + "-" + std::to_string(i),
                    .figure = Figure::Tpot,
                    .situation = situation,
                    .ratio = first + step * i});
  }
}

TEST_CASE("likely_ratio: every family weighs the same", "[catalog][oracle]") {
  // F: 0.5 alone. G: 1.0, 1.1, ... 1.9. Each weighs 1/2, a row of G 1/20: a tenth of the weight
  // lies within F, nine tenths at the eighth row of G, 0.5 + 8/20.
  std::vector<ScoredFigure> rows;
  add(rows, "F", 1, 0.5, 0.0);
  add(rows, "G", 10, 1.0, 0.1);
  const auto likely = likely_ratio(rows, {}, Figure::Tpot, kDenseNode);
  REQUIRE(likely);
  CHECK_THAT(likely->low, WithinRel(0.5, 1e-12));
  CHECK_THAT(likely->high, WithinRel(1.7, 1e-12));
  CHECK(likely->rows == 11);
  CHECK(likely->families == 2);
  CHECK(likely->group == "dense models on one node with A");
  CHECK_FALSE(likely_ratio(rows, {}, Figure::Ttft, kDenseNode));
}

TEST_CASE("likely_ratio: the closest group with enough of both", "[catalog][oracle]") {
  Situation other = kDenseNode;
  other.engine = "B";
  Situation moe = kDenseNode;
  moe.moe = true;
  Situation nodes = kDenseNode;
  nodes.many_nodes = true;
  std::vector<ScoredFigure> rows;
  add(rows, "F", 20, 1.0, 0.0);
  add(rows, "G", 4, 2.0, 0.0, other);
  add(rows, "H", 4, 3.0, 0.0, nodes);
  add(rows, "I", 4, 4.0, 0.0, moe);
  const auto group = [&](const Situation& s) {
    const auto likely = likely_ratio(rows, {}, Figure::Tpot, s);
    return likely ? likely->group : "none";
  };
  // F alone is one family; with H, which differs in extent, there are two.
  CHECK(group(kDenseNode) == "dense models with A");
  // Of engine B there are four rows; of dense models on one node F and G.
  CHECK(group(other) == "dense models on one node");
  // Of MoE models there are four rows of one family.
  CHECK(group(moe) == "all models");
}

TEST_CASE("likely_ratio: holds the errors of the engine's fit", "[catalog][oracle]") {
  std::vector<ScoredFigure> rows;
  add(rows, "F", 5, 0.9, 0.0);
  add(rows, "G", 5, 1.1, 0.0);
  EngineOverhead overhead;
  overhead.engine = "A";
  overhead.architecture = "Hopper";
  overhead.rows = 70;
  overhead.tpot = {.median = 0.1, .p90 = 0.3, .low = 0.95, .high = 1.4};
  const auto likely = likely_ratio(rows, {overhead}, Figure::Tpot, kDenseNode);
  REQUIRE(likely);
  CHECK(likely->low == 0.9);
  CHECK(likely->high == 1.4);
  CHECK(likely->fit_rows == 70);
  // Without any row they are all there is; without a fit nothing.
  const auto fit_alone = likely_ratio({}, {overhead}, Figure::Tpot, kDenseNode);
  REQUIRE(fit_alone);
  CHECK(fit_alone->low == 0.95);
  CHECK(fit_alone->rows == 0);
  overhead.rows = 0;
  CHECK_FALSE(likely_ratio({}, {overhead}, Figure::Tpot, kDenseNode));
}

TEST_CASE("coverage: each family against the others", "[catalog][oracle]") {
  // Without F: G and H give 1 .. 2, which holds F's ten. Without G: F and H give 1.2 .. 2, which
  // holds none of its ten at 1; without H 1 .. 1.2, which holds none of five at 2.
  std::vector<ScoredFigure> rows;
  add(rows, "F", 10, 1.2, 0.0);
  add(rows, "G", 10, 1.0, 0.0);
  add(rows, "H", 5, 2.0, 0.0);
  const auto reached = coverage(rows, {}, Figure::Tpot);
  REQUIRE(reached);
  CHECK_THAT(*reached, WithinRel(10.0 / 25.0, 1e-12));
  CHECK_FALSE(coverage(rows, {}, Figure::Ttft));
}

TEST_CASE("family: what stands before the last dash", "[catalog]") {
  CHECK(ScoredFigure{.row = "MLP41-007", .situation = {}}.family() == "MLP41");
  CHECK(ScoredFigure{.row = "A-B-1", .situation = {}}.family() == "A-B");
}

}  // namespace
}  // namespace moesim::catalog
