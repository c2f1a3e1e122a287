#include "operators/expert_curve.h"

#include <rapidcheck.h>

#include <cmath>
#include <ctime>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"

namespace moesim::operators {
namespace {
using namespace moesim::literals;
using moesim::test::toy_gpu;
using moesim::test::WithinRel;

// 3 matrices of 1000 x 1000: 3e6 weights, 6 MB in bf16; toy GPU: 1 TB/s, 1000 TFLOP/s.
const ExpertBlock kBlock{
    .hidden = 1000, .intermediate = 1000, .matrices = 3, .local_experts = 10, .topk = 2};

std::vector<double> starts() {
  std::vector<double> values;
  for (const CoefficientSpec& spec : ExpertCurve::coefficients()) values.push_back(spec.start);
  return values;
}

/// Start values but for those named.
std::vector<double> with(std::vector<std::pair<std::string_view, double>> named) {
  std::vector<double> values = starts();
  const auto specs = ExpertCurve::coefficients();
  for (const auto& [name, value] : named) {
    bool known = false;
    for (std::size_t i = 0; i < specs.size(); ++i) {
      if (specs[i].name != name) continue;
      values[i] = value;
      known = true;
    }
    REQUIRE(known);
  }
  return values;
}

/// No floor, no activations, perfect roofs.
std::vector<double> bare() {
  return with({{"launch_us", 0},
               {"memory", 1},
               {"compute", 1},
               {"tile_half", 0},
               {"k_half", 0},
               {"serial", 0},
               {"overlap", 0},
               {"activation", 0},
               {"gather", 0},
               {"expert_us", 0},
               {"token_ns", 0},
               {"step_ns", 0},
               {"sort_us", 0}});
}

ExpertCurve curve(const std::vector<double>& values, const ExpertBlock& block = kBlock) {
  return {toy_gpu(), *kernel_format("bf16"), block, values};
}

ExpertWork work_of(const std::vector<std::int64_t>& tokens, double looked_through) {
  ExpertWork work;
  for (const std::int64_t n : tokens) work.add_expert(n);
  work.arrived = std::min(work.pairs, looked_through);
  work.looked_through = looked_through;
  return work;
}

double us(const OperatorTime& t) { return t.time / 1.0_us; }

TEST_CASE("ExpertWork: counts what tiles are filled with", "[operators][oracle]") {
  // 1 and 20 tokens: 2 experts, 21 pairs; tiles of 8: 8 + 24, of 16: 16 + 32, of 32 and more: one
  // each.
  const ExpertWork work = work_of({1, 0, 20}, 21);
  CHECK(work.pairs == 21.0);
  CHECK(work.experts_touched == 2.0);
  CHECK(work.padded == std::array<double, 5>{32, 48, 64, 128, 256});
}

TEST_CASE("ExpertCurve: few tokens read the weights of the experts touched",
          "[operators][oracle]") {
  // 4 experts: 24 MB at 1 TB/s: 24 us.
  const OperatorTime t = curve(bare()).time(work_of({1, 1, 1, 1, 0, 0}, 4));
  CHECK(t.bound == Bound::Memory);
  CHECK_THAT(us(t), WithinRel(24.0, 1e-12));
}

TEST_CASE("ExpertCurve: many tokens pay the flops of their tiles", "[operators][oracle]") {
  // 10'000 tokens in tiles of 8: none wasted. 6e6 * 1e4 = 6e10 flops at 1e15 /s: 60 us.
  CHECK_THAT(us(curve(bare()).time(work_of({10'000}, 10'000))), WithinRel(60.0, 1e-12));
  // tile_half 64: tiles of 128 cost 1.5 a row and fill 10'112 rows; of 64: 2 a row. 91.008 us.
  auto values = bare();
  values[3] = 64;
  const OperatorTime t = curve(values).time(work_of({10'000}, 10'000));
  CHECK(t.bound == Bound::Compute);
  CHECK_THAT(us(t), WithinRel(91.008, 1e-12));
}

TEST_CASE("ExpertCurve: every cost lands where it is due", "[operators][oracle]") {
  // launch 10 + 10 experts * 0.5 + 2000 * 1 ns + 4 tokens * 250 ns + 8 * 4 / (4 + 4) = 22 us.
  auto values = with({{"launch_us", 10},
                      {"memory", 0.5},
                      {"compute", 1},
                      {"tile_half", 0},
                      {"k_half", 0},
                      {"serial", 0},
                      {"overlap", 0},
                      {"activation", 2},
                      {"gather", 1},
                      {"expert_us", 0.5},
                      {"token_ns", 250},
                      {"step_ns", 1},
                      {"sort_us", 8},
                      {"sort_half", 4}});
  // 1 expert at half the bandwidth: 12 us. A row of activations: 3 * 1000 + 4 * 1000 elements,
  // 14 kB: 0.014 us; 2 * 4 pairs + 1 * 4 tokens * 2: 16 rows, 0.224 us.
  const OperatorTime t = curve(values).time(work_of({4}, 4));
  CHECK_THAT(us(t), WithinRel(22.0 + 12.0 + 0.224, 1e-12));
  CHECK(t.bound == Bound::Launch);
}

TEST_CASE("ExpertCurve: warm weights come back from the cache", "[operators][oracle]") {
  auto values = with({{"cache_mb", 6}});
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (ExpertCurve::coefficients()[i].name != "cache_mb") values[i] = bare()[i];
  }
  values[1] = 0.5;
  ExpertBlock warm = kBlock;
  warm.cold = false;
  // Exactly the cache: 12 us cold, saved 0.75 / (1 + 1): 7.5 us. Never below the data sheet's 6 us.
  CHECK_THAT(us(curve(values).time(work_of({1}, 1))), WithinRel(12.0, 1e-12));
  CHECK_THAT(us(curve(values, warm).time(work_of({1}, 1))), WithinRel(7.5, 1e-12));
  values[1] = 1.0;
  CHECK_THAT(us(curve(values, warm).time(work_of({1}, 1))), WithinRel(6.0, 1e-12));
}

TEST_CASE("ExpertCurve: a kernel may compute pairs of other ranks", "[operators][oracle]") {
  ExpertBlock block = kBlock;
  block.computes_foreign = true;
  // 8 tokens arrived with 2 pairs each; 8 are ours: 16 rows * 6e6 flops at 1e15 /s = 0.096 us; the
  // weights bind. 80'000 tokens: 160'000 rows, 960 us.
  CHECK_THAT(us(curve(bare(), block).time(work_of({80'000}, 80'000))), WithinRel(960.0, 1e-12));
  CHECK_THAT(us(curve(bare()).time(work_of({80'000}, 80'000))), WithinRel(480.0, 1e-12));
}

TEST_CASE("ExpertCurve: an idle rank takes no time", "[operators]") {
  ExpertWork idle;
  idle.looked_through = 100;
  CHECK(curve(starts()).time(idle).time == Seconds{});
}

TEST_CASE("ExpertCurve: skew slows large batches and speeds up small ones", "[operators]") {
  const ExpertCurve timer = curve(starts());
  // 8 pairs on 8 experts or on 2; 8 x 1000 or one expert with the lot and 8000 more from others.
  CHECK(us(timer.time(work_of({4, 4}, 8))) < us(timer.time(work_of({1, 1, 1, 1, 1, 1, 1, 1}, 8))));
  CHECK(us(timer.time(work_of({9000, 4000, 1000, 1000, 500, 300, 150, 50}, 16'000))) >
        us(timer.time(work_of(std::vector<std::int64_t>(8, 1000), 16'000))));
}

TEST_CASE("usual_expert_kernel: what engines run by default", "[operators]") {
  catalog::Gpu gpu = toy_gpu();
  gpu.architecture = "Hopper";
  CHECK(usual_expert_kernel(gpu, "sglang", "fp8b", 3) == "triton");
  CHECK(usual_expert_kernel(gpu, "sglang", "int4a16", 3) == "marlin");
  CHECK(usual_expert_kernel(gpu, "trtllm", "fp8b", 3) == "cutlass");
  CHECK(usual_expert_kernel(gpu, "trtllm", "bf16", 2) == "other");
  gpu.architecture = "Blackwell";
  CHECK(usual_expert_kernel(gpu, "sglang", "nvfp4", 3) == "trtllmgen");
  CHECK(usual_expert_kernel(gpu, "trtllm", "fp8b", 3) == "deepgemm");
  CHECK(usual_expert_kernel(gpu, "trtllm", "mxfp4a8", 3) == "other");
}

std::vector<double> any_values() {
  std::vector<double> values;
  for (const CoefficientSpec& spec : ExpertCurve::coefficients()) {
    const double share = *rc::gen::inRange(0, 101) / 100.0;
    values.push_back(spec.lower + share * share * share * (spec.upper - spec.lower));
  }
  return values;
}

TEST_CASE("ExpertCurve: more tokens never take less, nor less than the data sheet allows",
          "[operators][property]") {
  CHECK(rc::check([] {
    ExpertBlock block{.hidden = *rc::gen::inRange(64, 10'000),
                      .intermediate = *rc::gen::inRange(16, 20'000),
                      .matrices = *rc::gen::inRange(2, 4),
                      .local_experts = 8,
                      .topk = *rc::gen::inRange(1, 23)};
    block.computes_foreign = *rc::gen::arbitrary<bool>();
    block.cold = *rc::gen::arbitrary<bool>();
    const ExpertCurve timer = curve(any_values(), block);
    auto tokens =
        *rc::gen::container<std::vector<std::int64_t>>(8, rc::gen::inRange<std::int64_t>(0, 5000));
    const double all = *rc::gen::inRange(5000, 200'000);
    const ExpertWork before = work_of(tokens, all);
    tokens[*rc::gen::inRange<std::size_t>(0, 8)] += *rc::gen::inRange(1, 1000);
    const ExpertWork after = work_of(tokens, all);
    RC_ASSERT(us(timer.time(after)) >= us(timer.time(before)) * (1 - 1e-12));
    RC_ASSERT(timer.time(after).time >= timer.data_sheet_bound(after));
    ExpertWork wider = after;
    wider.looked_through *= 2;
    RC_ASSERT(timer.time(wider).time >= timer.time(after).time);
  }));
}

TEST_CASE("ExpertCurve: finite far outside the data", "[operators][property]") {
  ExpertBlock block{.hidden = 65'536, .intermediate = 1, .matrices = 2, .local_experts = 100'000};
  const double large = us(curve(starts(), block).time(work_of({1'000'000'000'000}, 1e12)));
  CHECK(std::isfinite(large));
  CHECK(large > 0.0);
}

TEST_CASE("ExpertCurve: the time of a load is found in well under 100 ns", "[operators]") {
  const ExpertCurve timer = curve(starts());
  ExpertWork work = work_of({4, 9, 70}, 100);
  constexpr int kCalls = 200'000;
  double sum = 0;
  const std::clock_t start = std::clock();
  for (int i = 0; i < kCalls; ++i) {
    work.pairs += 1e-3;
    sum += us(timer.time(work));
  }
  const double ns = 1e9 * static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC / kCalls;
  CHECK(sum > 0.0);
  CHECK(ns < 1000.0);  // Builds without optimisation included; about 10 ns with it.
}

}  // namespace
}  // namespace moesim::operators
