#include "serving/two_batch_schedule.h"

#include <algorithm>
#include <array>
#include <vector>

#include <rapidcheck.h>

#include "tests/support/catch.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

/// The same pieces in every layer and in both micro-batches, in microseconds.
struct Toy {
  double attention_in = 0;
  double attention_out = 0;
  double shared = 0;
  double experts = 0;
  double dispatch = 0;
  double combine = 0;
  double end_work = 0;  ///< At each end of an exchange.
};

TwoBatchTime run_toy(const Toy& toy, std::size_t layers, StagesOfLayer stages) {
  const auto one = [](double us) { return std::vector<Seconds>{us * 1_us}; };
  const auto in = one(toy.attention_in);
  const auto out = one(toy.attention_out);
  const auto shared = one(toy.shared);
  const auto experts = one(toy.experts);
  const auto none = one(0.0);
  const auto exchange = [&](double us) {
    return ExchangeWork{
        .send = toy.end_work * 1_us, .flight = us * 1_us, .receive = toy.end_work * 1_us};
  };
  const auto work = [&](std::size_t, std::size_t) {
    return LayerWork{.attention_in = in,
                     .attention_out = out,
                     .shared = shared,
                     .experts = experts,
                     .gather = none,
                     .dispatch = exchange(toy.dispatch),
                     .combine = exchange(toy.combine)};
  };
  TwoStreams streams;
  return run_two_batches(1, layers, stages, work, streams);
}

TEST_CASE("two_batch_schedule: three stages of one layer by hand", "[serving][oracle]") {
  // Compute: attention A 0-10, attention B 10-20, experts A from max(20, dispatch A 10-16) = 20-28,
  // experts B from max(28, dispatch B 20-26) = 28-36, shared A 36-38, A waits for combine A (28 + 7
  // = 35): none. Shared B 38-40, combine B starts at 36, ends at 43: B waits 40-43.
  const TwoBatchTime t =
      run_toy({.attention_out = 10, .shared = 2, .experts = 8, .dispatch = 6, .combine = 7}, 1,
              StagesOfLayer::Three);
  CHECK_THAT(t.total / 1.0_us, WithinRel(43.0, 1e-12));
  CHECK_THAT(t.exposed_dispatch / 1.0_us, WithinAbs(0.0, 1e-12));
  CHECK_THAT(t.exposed_combine / 1.0_us, WithinRel(3.0, 1e-12));
  CHECK_THAT(t.flights / 1.0_us, WithinRel(26.0, 1e-12));
}

TEST_CASE("two_batch_schedule: three stages of two layers by hand", "[serving][oracle]") {
  // As above to 36. Then shared A 36-38 (combine A 28-35 done), attention A 38-48, dispatch A from
  // 48 (the stream was free at 43) to 54; shared B 48-50 (combine B 36-43), attention B 50-60,
  // dispatch B 60-66. Experts A 60-68, combine A 68-75; experts B 68-76 (dispatch B 66), combine B
  // 76-83; shared A 76-78, wait for 75: none; shared B 78-80, wait until 83.
  const TwoBatchTime t =
      run_toy({.attention_out = 10, .shared = 2, .experts = 8, .dispatch = 6, .combine = 7}, 2,
              StagesOfLayer::Three);
  CHECK_THAT(t.total / 1.0_us, WithinRel(83.0, 1e-12));
  CHECK_THAT((t.exposed_dispatch + t.exposed_combine) / 1.0_us, WithinRel(3.0, 1e-12));
}

TEST_CASE("two_batch_schedule: five stages of one layer by hand", "[serving][oracle]") {
  // In launch order A0 A1 A2 B0 A3 B1 A4 B2 B3 B4; attention 4 + 6, shared 2, experts 8.
  // A0 0-4, A1 4-10, A2 dispatch A 10-15, shared 10-12; B0 12-16; A3 waits for 15: none, experts
  // 16-24, combine A 24-31; B1 24-30; A4 waits 30-31; B2 dispatch B 31-36, shared 31-33; B3 waits
  // 33-36, experts 36-44; B4: combine B 44-51, all of it exposed.
  const TwoBatchTime t = run_toy({.attention_in = 4,
                                  .attention_out = 6,
                                  .shared = 2,
                                  .experts = 8,
                                  .dispatch = 5,
                                  .combine = 7},
                                 1, StagesOfLayer::Five);
  CHECK_THAT(t.total / 1.0_us, WithinRel(51.0, 1e-12));
  CHECK_THAT(t.exposed_dispatch / 1.0_us, WithinRel(3.0, 1e-12));
  CHECK_THAT(t.exposed_combine / 1.0_us, WithinRel(8.0, 1e-12));
}

TEST_CASE("two_batch_schedule: what ranks do at the ends of an exchange is never hidden",
          "[serving][oracle]") {
  // Nothing flies: 2 x (10 + 8 + 4 ends of 1).
  const TwoBatchTime t =
      run_toy({.attention_out = 10, .experts = 8, .end_work = 1}, 1, StagesOfLayer::Three);
  CHECK_THAT(t.total / 1.0_us, WithinRel(44.0, 1e-12));
}

TEST_CASE("two_batch_schedule: an exchange waits for the slowest rank", "[serving][oracle]") {
  // Attention takes 10 and 20 us on the two ranks, nothing else takes time but dispatch, 5 us. Rank
  // 0 is ready for both halves at 20, rank 1 at 40. Dispatch A 20-25, B 40-45.
  // Rank 0 waits 20-25 for A (5 exposed), then for B: ready at 40, so 25-40 is waiting for the
  // other rank, 40-45 exposed. Rank 1 comes to A's experts at 40, after its dispatch; waits 5 for
  // B.
  const std::vector<Seconds> attention{10_us, 20_us};
  const std::vector<Seconds> none{0_us, 0_us};
  const auto work = [&](std::size_t, std::size_t) {
    return LayerWork{.attention_in = none,
                     .attention_out = attention,
                     .shared = none,
                     .experts = none,
                     .gather = none,
                     .dispatch = {.flight = 5_us},
                     .combine = {}};
  };
  TwoStreams streams;
  const TwoBatchTime t = run_two_batches(2, 1, StagesOfLayer::Three, work, streams);
  CHECK_THAT(t.total / 1.0_us, WithinRel(45.0, 1e-12));
  CHECK_THAT(t.exposed_dispatch / 1.0_us, WithinRel((5.0 + 5.0 + 5.0) / 2.0, 1e-12));
}

TEST_CASE(
    "two_batch_schedule: never shorter than either stream, never longer than one after "
    "another",
    "[serving][property]") {
  CHECK(rc::check([] {
    const auto us = rc::gen::inRange(0, 100);
    const Toy toy{.attention_in = static_cast<double>(*us),
                  .attention_out = static_cast<double>(*us),
                  .shared = static_cast<double>(*us),
                  .experts = static_cast<double>(*us),
                  .dispatch = static_cast<double>(*us),
                  .combine = static_cast<double>(*us)};
    const auto layers = static_cast<std::size_t>(*rc::gen::inRange(1, 6));
    const auto stages = *rc::gen::element(StagesOfLayer::Three, StagesOfLayer::Five);
    const double work = 2.0 * static_cast<double>(layers) *
                        (toy.attention_in + toy.attention_out + toy.shared + toy.experts);
    const double flights = 2.0 * static_cast<double>(layers) * (toy.dispatch + toy.combine);
    const TwoBatchTime t = run_toy(toy, layers, stages);
    const double total = t.total / 1.0_us;
    RC_ASSERT(total >= std::max(work, flights) - 1e-6);
    RC_ASSERT(total <= work + flights + 1e-6);
    // One rank: what is not work is exposed.
    RC_ASSERT(std::abs(total - work - (t.exposed_dispatch + t.exposed_combine) / 1.0_us) < 1e-6);
  }));
}

}  // namespace
}  // namespace moesim::serving
