// Which curve prices an operator, what is said of it, and that faster GPUs are never slower.
#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "operators/coefficient.h"
#include "operators/kernel_format.h"
#include "serving/instance_cost.h"
#include "serving/kernels.h"
#include "serving/token_exchange.h"
#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using test::toy_deployment;

/// Curves of every operation on the toy GPU, with the coefficients their fits start at.
std::shared_ptr<const catalog::CurveSet> toy_curves() {
  std::vector<catalog::Curve> curves;
  for (const std::string_view operation : operators::curve_operations()) {
    for (const char* dtype : {"", "bf16"}) {
      catalog::Curve curve{
          .key = {.operation = std::string(operation),
                  .gpu = "toy",
                  .dtype = dtype,
                  .engine = "sglang"},
          .coefficients = {},
          .rows = 1,
          .groups = 1,
          .cross_validated = {.median = 0.05, .p90 = 0.2, .low = 0.9, .high = 1.2},
          .transferred = catalog::ErrorBand{.median = 0.3, .p90 = 0.6, .low = 0.5, .high = 2},
          .source = {}};
      for (const operators::CoefficientSpec& spec : operators::coefficients_of(operation)) {
        curve.coefficients.push_back({std::string(spec.name), spec.start});
      }
      curves.push_back(std::move(curve));
    }
  }
  const std::vector<catalog::Gpu> gpus = {test::toy_gpu()};
  return std::make_shared<const catalog::CurveSet>(std::move(curves), gpus);
}

Deployment with_curves(catalog::Model model, const plan::Layout& layout) {
  Deployment d = toy_deployment(std::move(model), layout);
  d.curves = toy_curves();
  d.engine.kernels = "sglang";
  d.engine.kernels_borrowed = false;
  return d;
}

const PricedBy* entry_of(const Kernels& kernels, std::string_view operation) {
  const auto all = kernels.priced_by();
  const auto found = std::find_if(
      all.begin(), all.end(), [&](const PricedBy& entry) { return entry.operation == operation; });
  return found == all.end() ? nullptr : &*found;
}

/// A few requests that prefill and decode.
Seconds length_of(const Deployment& d) {
  std::vector<workload::Request> requests;
  for (int i = 0; i < 6; ++i) requests.push_back(test::request_at(0.0 * kSecond, 50 + 90 * i, 5));
  return test::run(d, requests).summary.end_to_end.p99_ms * 1e-3 * kSecond;
}

}  // namespace

TEST_CASE("token exchange: over NVLink where the engine says so and one domain holds all ranks") {
  using catalog::All2AllBackend;
  Deployment d = with_curves(test::toy_moe_model(), {.tp = 1, .dp = 8, .ep = 8});
  const auto way = [&] {
    return way_of_tokens(d, topology::Topology(d.cluster), stage_groups(d, 0).front());
  };
  const auto problems = [&] {
    std::string all;
    for (const DeploymentProblem& p : check_deployment(d)) all += p.field + ": " + p.message + "; ";
    return all;
  };
  // Two nodes of four GPUs, each its own domain.
  d.engine.nvlink_exchange_beyond = 0;
  CHECK(way() == TokensCome::ByDeepEp);
  d.all2all = All2AllBackend::NvLink;
  CHECK(
      problems() ==
      "deployment.all2all_backend: FLASHINFER_ALL2ALLV runs over NVLink: tp 1 times dp 8 GPUs lie "
      "in several NVLink domains; ");
  d.cluster.nodes_per_scale_up_domain = 2;
  CHECK(way() == TokensCome::OverNvLink);
  CHECK(problems() == "");
  d.all2all = All2AllBackend::Auto;
  CHECK(way() == TokensCome::OverNvLink);
  d.engine.nvlink_exchange_beyond = 8;  // Domains of the toy GPU have no more.
  CHECK(way() == TokensCome::ByDeepEp);
  d.engine.nvlink_exchange_beyond = 7;
  CHECK(way() == TokensCome::OverNvLink);
  d.overlap.mode = OverlapMode::TwoBatch;
  CHECK(way() == TokensCome::ByDeepEp);
  d.all2all = All2AllBackend::NvLink;
  CHECK(problems() == "deployment.overlap: two-batch overlap needs DeepEP's kernels; ");
  d.all2all = All2AllBackend::AllGather;
  CHECK(way() == TokensCome::NotSent);
}

TEST_CASE("token exchange: a token goes once to each rank of its picks over NVLink") {
  Deployment d = with_curves(test::toy_moe_model(), {.tp = 1, .dp = 4, .ep = 4});
  d.all2all = catalog::All2AllBackend::NvLink;
  const topology::Topology topology(d.cluster);
  Kernels kernels(d);
  TokenExchange exchange(d, kernels, topology, stage_groups(d, 0).front(), 2, 16);
  // Whatever the batch: there is no low-latency way beside it.
  CHECK(exchange.copies(false, 8) == placement::Copies::Deduplicated);
  CHECK(exchange.copies(true, 8000) == placement::Copies::Deduplicated);
}

TEST_CASE("kernels: a measured GPU takes its curve with the curve's band") {
  const Deployment d = with_curves(test::toy_dense_model(), {});
  Kernels kernels(d);
  static_cast<void>(kernels.gemm(StepPart::Attention, d.precision.attention));
  const PricedBy* gemm = entry_of(kernels, "gemm");
  REQUIRE(gemm != nullptr);
  CHECK(gemm->curve == "toy bf16 sglang");
  CHECK_FALSE(gemm->estimate);
  CHECK(gemm->band.p90 == 0.2);
  // Asked again, told once.
  static_cast<void>(kernels.gemm(StepPart::Attention, d.precision.attention));
  CHECK(kernels.priced_by().size() == 1);
}

TEST_CASE("kernels: an unlisted GPU takes the nearest curve as an estimate with a wider band") {
  Deployment d = with_curves(test::toy_dense_model(), {});
  d.cluster.gpu.name = "new";
  Kernels kernels(d);
  static_cast<void>(kernels.gemm(StepPart::Attention, d.precision.attention));
  const PricedBy* gemm = entry_of(kernels, "gemm");
  REQUIRE(gemm != nullptr);
  CHECK(gemm->curve == "toy bf16 sglang");
  CHECK(gemm->estimate);
  CHECK(gemm->band == catalog::ErrorBand{.median = 0.3, .p90 = 0.6, .low = 0.5, .high = 2});
}

TEST_CASE("kernels: another engine's kernels are an estimate") {
  Deployment d = with_curves(test::toy_dense_model(), {});
  d.engine.kernels_borrowed = true;
  Kernels kernels(d);
  static_cast<void>(kernels.gemm(StepPart::FeedForward, d.precision.dense_ffn));
  REQUIRE(entry_of(kernels, "gemm") != nullptr);
  CHECK(entry_of(kernels, "gemm")->estimate);
}

TEST_CASE("kernels: an efficiency that is set, or no curves, gives the roofline") {
  Deployment set = with_curves(test::toy_dense_model(), {});
  set.roofline_only = {.gemm = true,
                       .grouped_gemm = true,
                       .prefill_attention = true,
                       .decode_attention = true,
                       .lm_head = true};
  Deployment none = toy_deployment(test::toy_dense_model(), {});
  for (const Deployment* d : {&set, &none}) {
    Kernels kernels(*d);
    // 100 x 1000 x 4000: 0.8 GFLOP at 1000 TFLOP/s = 0.8 us; memory 100 x (1000 + 4000) x 2 bytes
    // and 8 MB of weights at 1 TB/s = 9 us, which is more.
    const auto timer = kernels.gemm(StepPart::FeedForward, d->precision.dense_ffn);
    const auto time = timer.time({.m = 100, .n = 4000, .k = 1000});
    CHECK(time.time / kSecond == Approx(9e-6));
    CHECK(time.bound == operators::Bound::Memory);
    static_cast<void>(kernels.head());
    static_cast<void>(kernels.attention(d->model.kinds[0].attention));
    for (const PricedBy& entry : kernels.priced_by()) {
      INFO(entry.operation);
      CHECK(entry.curve.empty());
      CHECK_FALSE(entry.estimate);
    }
  }
}

TEST_CASE("limited time: the limits of a part sum to the part") {
  LimitedTime time;
  time[Limit::Compute] = 2.0 * kSecond;
  time.add({.time = 3.0 * kSecond, .bound = operators::Bound::Memory});
  time.add({.time = 1.0 * kSecond, .bound = operators::Bound::Launch});
  LimitedTime twice;
  twice.add(2.0, time);
  CHECK(time.sum() / kSecond == Approx(6.0));
  CHECK(twice[Limit::Memory] / kSecond == Approx(6.0));
  StepTime step;
  step.add(StepPart::Experts, 0.5, twice);
  CHECK(step[StepPart::Experts] / kSecond == Approx(6.0));
  CHECK(step.limits[static_cast<std::size_t>(StepPart::Experts)].sum() == step[StepPart::Experts]);
}

TEST_CASE("kernels: under curves the parts of an iteration sum to it, their limits to them") {
  const Deployment d = with_curves(test::toy_dense_model(), {.tp = 2});
  const topology::Topology topology(d.cluster);
  ModelCost model(d);
  InstanceCost instance(d, model, topology, nullptr, 0, 1);
  RankBatch batch;
  batch.decode_sequences = 7;
  batch.prefill_tokens = 300;
  batch.prefill_chunks = 1;
  batch.logit_rows = 8;
  batch.decode_context.fill(7 * 500);
  batch.prefill_context.fill(300);
  batch.prefill_pairs.fill(300.0 * 301.0 / 2.0);
  const StepTime& step = instance.price(std::span(&batch, 1)).front();
  Seconds sum;
  for (std::size_t p = 0; p < kStepParts; ++p) {
    sum += step.parts[p];
    const auto part = static_cast<StepPart>(p);
    if (part == StepPart::Waiting || part == StepPart::Overhead) continue;
    CHECK(step.limits[p].sum() / kSecond == Approx(step.parts[p] / kSecond));
  }
  CHECK(step.total > Seconds{});
  CHECK(step[StepPart::AllReduce] > Seconds{});
  CHECK(sum / kSecond == Approx(step.total / kSecond));
}

TEST_CASE("kernels: under curves a GPU that is faster in one respect is never slower") {
  for (const bool moe : {false, true}) {
    const plan::Layout layout = moe ? plan::Layout{.tp = 1, .dp = 4, .ep = 4} : plan::Layout{};
    const Deployment slow =
        with_curves(moe ? test::toy_moe_model() : test::toy_dense_model(), layout);
    const Seconds before = length_of(slow);
    for (int respect = 0; respect < 3; ++respect) {
      INFO("moe " << moe << ", respect " << respect);
      Deployment fast = slow;
      catalog::Gpu& gpu = fast.cluster.gpu;
      if (respect == 0) gpu.bf16 = 3.0 * gpu.bf16;
      if (respect == 1) gpu.memory_bandwidth = 3.0 * gpu.memory_bandwidth;
      if (respect == 2) {
        gpu.scale_up_bandwidth = 3.0 * gpu.scale_up_bandwidth;
        gpu.scale_up_pair_bandwidth = 3.0 * gpu.scale_up_pair_bandwidth;
        fast.cluster.scale_up.bandwidth = 3.0 * fast.cluster.scale_up.bandwidth;
      }
      CHECK(length_of(fast) / kSecond <= before / kSecond * (1.0 + 1e-9));
    }
  }
}

}  // namespace moesim::serving
