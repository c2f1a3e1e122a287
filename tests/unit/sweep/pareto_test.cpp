#include <rapidcheck.h>

#include <algorithm>
#include <vector>

#include "sweep/sweep_runner.h"
#include "tests/support/catch.h"

namespace moesim::sweep {
namespace {

using Indices = std::vector<std::size_t>;

TEST_CASE("pareto_front: keeps what nothing beats in both", "[sweep][oracle]") {
  //  0 (1,9)  1 (3,7)  2 (2,6): beaten by 1  3 (5,5)  4 (5,4): beaten by 3  5 (8,1)  6 (3,7): as 1
  CHECK(pareto_front({{1, 9}, {3, 7}, {2, 6}, {5, 5}, {5, 4}, {8, 1}, {3, 7}}) ==
        Indices{0, 1, 3, 5});
}

TEST_CASE("pareto_front: one that is best in both stands alone", "[sweep][oracle]") {
  CHECK(pareto_front({{1, 1}, {2, 2}, {1, 2}}) == Indices{1});
  CHECK(pareto_front({}).empty());
  CHECK(pareto_front({{0, 0}}) == Indices{0});
}

TEST_CASE("pareto_front: equals the definition", "[sweep][property]") {
  CHECK(rc::check([] {
    const auto side = rc::gen::inRange(0, 8);
    const auto raw =
        *rc::gen::container<std::vector<std::pair<int, int>>>(rc::gen::pair(side, side));
    std::vector<TradeOff> points;
    for (const auto& [x, y] : raw) {
      points.push_back({static_cast<double>(x), static_cast<double>(y)});
    }
    const Indices front = pareto_front(points);
    for (std::size_t i = 0; i < points.size(); ++i) {
      const bool beaten = std::any_of(points.begin(), points.end(), [&](const TradeOff& p) {
        return p.x >= points[i].x && p.y >= points[i].y && (p.x > points[i].x || p.y > points[i].y);
      });
      const bool repeats = std::any_of(
          points.begin(), points.begin() + static_cast<std::ptrdiff_t>(i), [&](const TradeOff& p) {
            return !(p.x < points[i].x) && !(p.x > points[i].x) && !(p.y < points[i].y) &&
                   !(p.y > points[i].y);
          });
      const bool in = std::find(front.begin(), front.end(), i) != front.end();
      RC_ASSERT(in == (!beaten && !repeats));
    }
  }));
}

}  // namespace
}  // namespace moesim::sweep
