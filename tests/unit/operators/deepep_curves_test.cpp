#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include "operators/exchange_model.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {
using namespace moesim::literals;
using moesim::test::WithinRel;

/// Values by name, those at the start of the specs for the rest.
std::vector<double> with(std::span<const CoefficientSpec> specs,
                         const std::vector<std::pair<std::string_view, double>>& named) {
  std::vector<double> values;
  for (const CoefficientSpec& spec : specs) values.push_back(spec.start);
  for (const auto& one : named) {
    const auto at = std::find_if(specs.begin(), specs.end(),
                                 [&](const CoefficientSpec& s) { return s.name == one.first; });
    REQUIRE(at != specs.end());
    values[static_cast<std::size_t>(at - specs.begin())] = one.second;
  }
  return values;
}

/// Anywhere between the bounds.
std::vector<double> drawn(std::span<const CoefficientSpec> specs) {
  std::vector<double> values;
  for (const CoefficientSpec& spec : specs) {
    const double at = *rc::gen::inRange(0, 1001) / 1000.0;
    values.push_back(spec.lower + at * (spec.upper - spec.lower));
  }
  return values;
}

double amount(int most) { return *rc::gen::inRange(0, most) / 10.0; }

TEST_CASE("copies: FP8 with scales out, BF16 back", "[operators][oracle]") {
  // 7168 + 56 scales of 4 B + 16 B; 2 * 7168 B; normal: 8 picks of 8 B, of 4 B back.
  CHECK(low_latency_dispatch_copy(7168) == 7408_B);
  CHECK(low_latency_combine_copy(7168) == 14'336_B);
  CHECK(normal_dispatch_copy(7168, 8) == 7456_B);
  CHECK(normal_combine_copy(7168, 8) == 14'368_B);
}

TEST_CASE("DeepEpLowLatencyCurve: floor, blocks and the busiest link", "[operators][oracle]") {
  const DeepEpLowLatencyCurve curve(
      with(DeepEpLowLatencyCurve::coefficients(), {{"base_us", 8.0},
                                                   {"experts_256_us", 4.0},
                                                   {"hidden_1024_us", 0.5},
                                                   {"network_us", 10.0},
                                                   {"token_us", 1.0},
                                                   {"token_hidden_1024_us", 0.25},
                                                   {"scale_up_efficiency", 0.5},
                                                   {"network_efficiency", 0.8},
                                                   {"overlap", 0.0}}));
  LowLatencyShape shape{.tokens = 256, .hidden = 2048, .experts = 256, .nodes = 1};
  shape.scale_up = 30_us;
  // Floor 8 + 4 + 1; 256 experts in two groups of 128 blocks: two tokens a block of 1.5 us; 60 us.
  CHECK_THAT(curve.time(shape) / 1.0_us, WithinRel(13.0 + 3.0 + 60.0, 1e-12));
  // Four nodes add 10 us * 1.5; the network's 80 us at 0.8 outlast scale-up.
  shape.nodes = 4;
  shape.network = 80_us;
  CHECK_THAT(curve.time(shape) / 1.0_us, WithinRel(28.0 + 3.0 + 100.0, 1e-12));
  // Few experts run in few blocks: 8 of them 32 tokens each.
  shape.experts = 8;
  shape.nodes = 1;
  shape.network = {};
  CHECK_THAT(curve.time(shape) / 1.0_us, WithinRel(9.125 + 48.0 + 60.0, 1e-12));
}

TEST_CASE("DeepEpLowLatencyCurve: rises with tokens and links, never below a link",
          "[operators][property]") {
  CHECK(rc::check([] {
    const DeepEpLowLatencyCurve curve(drawn(DeepEpLowLatencyCurve::coefficients()));
    LowLatencyShape shape{.tokens = amount(100'000),
                          .hidden = *rc::gen::inRange(1, 20'000),
                          .experts = *rc::gen::inRange(1, 2000),
                          .nodes = *rc::gen::inRange(1, 200)};
    shape.scale_up = amount(1'000'000) * 1_us;
    shape.network = amount(1'000'000) * 1_us;
    const Seconds t = curve.time(shape);
    RC_ASSERT(t >= shape.scale_up);
    RC_ASSERT(t >= shape.network);
    LowLatencyShape more = shape;
    more.tokens += amount(1000);
    more.scale_up += amount(1000) * 1_us;
    more.network += amount(1000) * 1_us;
    RC_ASSERT(curve.time(more) >= t * (1.0 - 1e-12));
  }));
}

TEST_CASE("DeepEpNormalCurve: copying, links and floor", "[operators][oracle]") {
  const DeepEpNormalCurve curve(
      with(DeepEpNormalCurve::coefficients(), {{"base_us", 20.0},
                                               {"hidden_1024_us", 1.0},
                                               {"picks_8_us", 2.0},
                                               {"network_us", 5.0},
                                               {"row_us", 0.1},
                                               {"copy_gb_s", 20.0},
                                               {"token_us", 0.5},
                                               {"hand_on", 2.0},
                                               {"network_efficiency", 0.5},
                                               {"incast", 1.0},
                                               {"incast_exponent", 2.0}}));
  NormalExchangeShape shape{.tokens = 100,
                            .copies = 500,
                            .copy = 2_kB,
                            .hidden = 2048,
                            .top_k = 8,
                            .nodes = 1,
                            .sms = 10};
  // Floor 20 + 2 + 2; a copy takes 0.1 us and 2 kB at 20 GB/s, 0.1 us: (500 * 0.2 + 100 * 0.5)
  // / 10.
  CHECK_THAT(curve.time(shape) / 1.0_us, WithinRel(24.0 + 15.0, 1e-12));
  // Eight nodes: 5 us for each doubling; copying doubles to 30 us; 10 us of network at 0.5 and
  // twice that for seven senders a port: 40 us. (30^4 + 40^4)^(1/4) = 42.8546.
  shape.nodes = 8;
  shape.network = 10_us;
  CHECK_THAT(curve.time(shape) / 1.0_us,
             WithinRel(39.0 + std::pow(810'000.0 + 2'560'000.0, 0.25), 1e-12));
  // More nodes than were measured crowd a port no more: five doublings later the floor alone grew.
  const Seconds eight = curve.time(shape);
  shape.nodes = 256;
  CHECK_THAT((curve.time(shape) - eight) / 1.0_us, WithinRel(25.0, 1e-9));
  CHECK(normal_notify(1) == Seconds{});
  CHECK_THAT(normal_notify(4) / 1.0_us, WithinRel(50.8, 1e-12));
}

TEST_CASE("DeepEpNormalCurve: rises with work, falls with SMs, never below a link",
          "[operators][property]") {
  CHECK(rc::check([] {
    const DeepEpNormalCurve curve(drawn(DeepEpNormalCurve::coefficients()));
    NormalExchangeShape shape{.tokens = amount(1'000'000),
                              .copies = amount(9'000'000),
                              .copy = (1.0 + amount(200'000)) * kByte,
                              .hidden = *rc::gen::inRange(1, 20'000),
                              .top_k = *rc::gen::inRange(1, 32),
                              .nodes = *rc::gen::inRange(1, 100),
                              .sms = *rc::gen::inRange(1, 64)};
    shape.scale_up = amount(1'000'000) * 1_us;
    shape.network = amount(1'000'000) * 1_us;
    const Seconds t = curve.time(shape);
    RC_ASSERT(t >= shape.scale_up);
    RC_ASSERT(t >= shape.network);
    NormalExchangeShape more = shape;
    more.tokens += amount(1000);
    more.copies += amount(1000);
    more.network += amount(1000) * 1_us;
    RC_ASSERT(curve.time(more) >= t * (1.0 - 1e-12));
    more = shape;
    ++more.sms;
    RC_ASSERT(curve.time(more) <= t * (1.0 + 1e-12));
  }));
}

TEST_CASE("NvlinkAllToAllCurve: picks pass memory, copies the link", "[operators][oracle]") {
  const NvlinkAllToAllCurve curve(
      1_TBps, with(NvlinkAllToAllCurve::coefficients(), {{"base_us", 10.0},
                                                         {"step_us", 2.0},
                                                         {"memory_passes", 3.0},
                                                         {"token_us", 0.01},
                                                         {"link_efficiency", 0.5},
                                                         {"overlap", 0.0}}));
  // Floor 10 + 2 * 3; each of 1000 tokens: 0.01 us and 3 * 5 * 2 kB at 1 TB/s, 0.03 us: 40 us in
  // all; the link 15 us at 0.5: 30 us. Together 50 us.
  const NvlinkExchangeShape shape{
      .tokens = 1000, .top_k = 5, .ranks = 8, .copy = 2_kB, .link = 15_us};
  CHECK_THAT(curve.time(shape) / 1.0_us, WithinRel(66.0, 1e-12));
}

TEST_CASE("NvlinkAllToAllCurve: rises with tokens, ranks and the link, never below it",
          "[operators][property]") {
  CHECK(rc::check([] {
    const NvlinkAllToAllCurve curve(1_TBps, drawn(NvlinkAllToAllCurve::coefficients()));
    NvlinkExchangeShape shape{.tokens = amount(1'000'000),
                              .top_k = *rc::gen::inRange(1, 32),
                              .ranks = *rc::gen::inRange(1, 577),
                              .copy = amount(200'000) * kByte,
                              .link = amount(1'000'000) * 1_us};
    const Seconds t = curve.time(shape);
    RC_ASSERT(t >= shape.link);
    shape.tokens += amount(1000);
    shape.ranks += *rc::gen::inRange(0, 100);
    shape.link += amount(1000) * 1_us;
    RC_ASSERT(curve.time(shape) >= t * (1.0 - 1e-12));
  }));
}

TEST_CASE("measured_exchange: the kind's curves of the nearest GPU", "[operators]") {
  const catalog::Gpu gpu = test::toy_gpu();
  catalog::Gpu other = gpu;
  other.name = "another";
  std::vector<catalog::Curve> curves;
  for (const std::string_view phase : {"dispatch", "combine"}) {
    catalog::Curve curve;
    curve.key = {.operation = "deepep_low_latency",
                 .gpu = "toy",
                 .engine = "deepep",
                 .variant = std::string(phase)};
    for (const CoefficientSpec& spec : DeepEpLowLatencyCurve::coefficients()) {
      curve.coefficients.push_back({std::string(spec.name), spec.start});
    }
    curve.cross_validated = {.median = phase == "dispatch" ? 0.03 : 0.05, .p90 = 0.1};
    curves.push_back(curve);
  }
  const std::vector<catalog::Gpu> gpus{gpu};
  const catalog::CurveSet set(curves, gpus);
  const ExchangeShape shape{.hidden = 2048, .top_k = 8, .experts = 64};
  const auto found = measured_exchange(set, gpu, AllToAllKind::LowLatency, shape);
  REQUIRE(found.has_value());
  CHECK(std::holds_alternative<LowLatencyCurves>(found->model.curves));
  CHECK(found->model.kind == AllToAllKind::LowLatency);
  CHECK_FALSE(found->estimate);
  CHECK(found->band.median == 0.05);
  CHECK(measured_exchange(set, other, AllToAllKind::LowLatency, shape)->estimate);
  CHECK_FALSE(measured_exchange(set, gpu, AllToAllKind::Normal, shape).has_value());
}

}  // namespace
}  // namespace moesim::operators
