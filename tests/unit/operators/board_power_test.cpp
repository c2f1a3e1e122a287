#include "operators/board_power.h"

#include <rapidcheck.h>

#include <cmath>
#include <vector>

#include "tests/support/aborts.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {
using namespace moesim::literals;
using moesim::test::aborts;
using moesim::test::toy_gpu;
using moesim::test::WithinRel;

TEST_CASE("BoardPower: rises from idle to the ceiling", "[operators][oracle]") {
  // 500 W: idle 100 W, ceiling 500 W. Activity ln 2 gives 1 - 1/2 of the way: 300 W; 2 ln 2: 3/4.
  const double ln2 = std::log(2.0);
  const BoardPower board(toy_gpu(), std::vector<double>{0.2, 1.0, 2.0 * ln2, ln2, 1.0});
  CHECK(board.power(0.0, 0.0) == 100_W);
  CHECK_THAT(board.power(0.5, 0.0) / 1.0_W, WithinRel(300.0, 1e-12));
  CHECK_THAT(board.power(0.0, 1.0) / 1.0_W, WithinRel(300.0, 1e-12));
  CHECK_THAT(board.power(0.5, 1.0) / 1.0_W, WithinRel(400.0, 1e-12));
  // Beyond the data sheet counts as all of it; below nothing as nothing.
  CHECK(board.power(7.0, -1.0) == board.power(1.0, 0.0));
}

TEST_CASE("BoardPower: sharpness keeps light work cheap", "[operators][oracle]") {
  // (1/2)^2 = 1/4: 100 + 400 (1 - exp(-1/4)) = 188.4796868 W.
  const BoardPower board(toy_gpu(), std::vector<double>{0.2, 1.0, 1.0, 1.0, 2.0});
  CHECK_THAT(board.power(0.5, 0.0) / 1.0_W, WithinRel(188.4796867714, 1e-10));
}

TEST_CASE("board_power: scales with the tdp and needs one", "[operators][oracle]") {
  catalog::Gpu large = toy_gpu();
  large.tdp = 1000_W;
  CHECK_THAT(board_power(large, 0.4, 0.3) / board_power(toy_gpu(), 0.4, 0.3),
             WithinRel(2.0, 1e-12));
  CHECK(board_power({}, 0.4, 0.3) == Watts{});
  CHECK(aborts([] { BoardPower({}, std::vector<double>{0.2, 1.0, 1.0, 1.0, 1.0}); }));
  CHECK(aborts([] { BoardPower(toy_gpu(), std::vector<double>{0.2}); }));
}

TEST_CASE("BoardPower: rises with both utilisations, between idle and tdp",
          "[operators][property]") {
  CHECK(rc::check([] {
    std::vector<double> values;
    for (const CoefficientSpec& spec : BoardPower::coefficients()) {
      values.push_back(spec.lower +
                       *rc::gen::inRange(0, 1001) / 1000.0 * (spec.upper - spec.lower));
    }
    const BoardPower board(toy_gpu(), values);
    const double compute = *rc::gen::inRange(0, 1001) / 1000.0;
    const double memory = *rc::gen::inRange(0, 1001) / 1000.0;
    const Watts p = board.power(compute, memory);
    RC_ASSERT(p >= board.idle());
    RC_ASSERT(p <= toy_gpu().tdp * (1.0 + 1e-12));
    RC_ASSERT(board.power(compute + 0.01, memory) >= p * (1.0 - 1e-12));
    RC_ASSERT(board.power(compute, memory + 0.01) >= p * (1.0 - 1e-12));
  }));
}

}  // namespace
}  // namespace moesim::operators
