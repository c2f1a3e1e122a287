#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::request_at;
using moesim::test::toy_dense_model;
using moesim::test::toy_deployment;
using moesim::test::WithinRel;

double seconds_of(const Deployment& d, StepPart part, std::int32_t output) {
  const auto r = test::run(d, {request_at(0_s, 1, output)});
  return r.time.parts[static_cast<std::size_t>(part)] * r.end.seconds() / kSecond;
}

TEST_CASE("drafts: one draft that is never kept costs a layer, a projection and a head each step",
          "[serving][oracle]") {
  // Feed-forward is memory bound: two layers and the module's one, so half as much again; two
  // rows instead of one change it by less than 1 % (12 MB of weights).
  Deployment d = toy_deployment(toy_dense_model(), {});
  const double plain = seconds_of(d, StepPart::FeedForward, 50);
  d.scheduler.speculation = {DraftMethod::Mtp, {0.0}};
  CHECK_THAT(seconds_of(d, StepPart::FeedForward, 50), WithinRel(1.5 * plain, 1e-2));
  // Two drafts: two runs of the module.
  d.scheduler.speculation = {DraftMethod::Mtp, {0.0, 0.0}};
  CHECK_THAT(seconds_of(d, StepPart::FeedForward, 50), WithinRel(2.0 * plain, 1e-2));
  // Drafts that the host looks up run nothing but their verification.
  d.scheduler.speculation = {DraftMethod::Ngram, {0.0}};
  CHECK_THAT(seconds_of(d, StepPart::FeedForward, 50), WithinRel(plain, 1e-2));
}

TEST_CASE("drafts: the head runs once more, behind a projection of two hidden states",
          "[serving][oracle]") {
  // Head: 1000 x 10,000 weights of 2 B, 20 us at 1 TB/s; projection 2000 x 1000: 4 us. Rows and
  // passes add some percent.
  Deployment d = toy_deployment(toy_dense_model(), {});
  const double plain = seconds_of(d, StepPart::Head, 50);
  d.scheduler.speculation = {DraftMethod::Mtp, {0.0}};
  CHECK_THAT(seconds_of(d, StepPart::Head, 50),
             WithinRel(plain * (20.0 + 20.0 + 4.0) / 20.0, 3e-2));
}

TEST_CASE("drafts: kept drafts save steps", "[serving][oracle]") {
  Deployment d = toy_deployment(toy_dense_model(), {});
  d.scheduler.speculation = {DraftMethod::Mtp, {1.0}};
  // 1 token by the prompt, then 100 by twos.
  CHECK(test::run(d, {request_at(0_s, 1, 101)}).time.iterations == 51);
}

}  // namespace
}  // namespace moesim::serving
