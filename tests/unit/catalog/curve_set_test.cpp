// Which curve stands in for which machine, and with what band.
#include <array>
#include <string>
#include <vector>

#include "catalog/curve.h"
#include "tests/support/catch.h"

namespace moesim::catalog {
namespace {

Gpu machine(const std::string& name, const std::string& architecture, double tflops, double tbps) {
  Gpu gpu;
  gpu.name = name;
  gpu.architecture = architecture;
  gpu.bf16 = tflops * 1e12 * kFlop / kSecond;
  gpu.memory_bandwidth = tbps * 1e12 * kByte / kSecond;
  return gpu;
}

Curve curve(const CurveKey& key) {
  return {.key = key,
          .coefficients = {},
          .rows = 10,
          .groups = 2,
          .cross_validated = {.median = 0.05, .p90 = 0.2, .low = 0.9, .high = 1.2},
          .transferred = ErrorBand{.median = 0.3, .p90 = 0.1, .low = 0.95, .high = 2.0},
          .source = {}};
}

/// An old GPU, a new one, and a sister of the new one with slower memory.
const std::vector<Gpu>& machines() {
  static const std::vector<Gpu> all = {machine("old", "A", 100, 1), machine("new", "B", 1000, 4),
                                       machine("sister", "B", 1000, 3)};
  return all;
}

CurveSet set(std::vector<CurveKey> keys) {
  std::vector<Curve> curves;
  for (const CurveKey& key : keys) curves.push_back(curve(key));
  return {std::move(curves), machines()};
}

constexpr std::array<std::string_view, 1> kBf16 = {"bf16"};
constexpr std::array<std::string_view, 2> kFp8OrBf16 = {"fp8", "bf16"};

}  // namespace

TEST_CASE("a GPU's own curve is no estimate and keeps its own band") {
  const CurveSet curves = set({{"gemm", "old", "bf16", "x"}, {"gemm", "new", "bf16", "x"}});
  const auto match = curves.find("gemm", machines()[1], kBf16, "x");
  REQUIRE(match.has_value());
  CHECK(match->curve->key.gpu == "new");
  CHECK_FALSE(match->estimate);
  CHECK(match->band == match->curve->cross_validated);
  CHECK(curves.find_exact({"gemm", "old", "bf16", "x", ""}) == &curves.curves()[0]);
  CHECK(curves.find_exact({"gemm", "old", "bf16", "x", "y"}) == nullptr);
}

TEST_CASE("a kernel unlike all others stands for its engine on its GPU alone") {
  // Of two engines' curves of one kind x errs by 0.7 on other GPUs, y by 0.3: more than twice.
  std::vector<Curve> all = {curve({"attn", "old", "bf16", "x", ""}),
                            curve({"attn", "old", "bf16", "y", ""})};
  all[0].transferred->median = 0.7;
  const CurveSet curves(all, machines());
  const auto engine_of = [&](const Gpu& gpu, bool borrowed) {
    return curves.find("attn", gpu, kBf16, "x", {}, borrowed)->curve->key.engine;
  };
  CHECK(engine_of(machines()[0], false) == "x");
  CHECK(engine_of(machines()[0], true) == "y");
  CHECK(engine_of(machines()[1], false) == "y");
  all[0].transferred->median = 0.5;
  const CurveSet alike(all, machines());
  CHECK(alike.find("attn", machines()[1], kBf16, "x", {}, true)->curve->key.engine == "x");
}

TEST_CASE("nothing is found where nothing fits") {
  const CurveSet curves = set({{"gemm", "old", "bf16", "x"}, {"gemm", "nowhere", "fp8", "x"}});
  CHECK_FALSE(curves.find("moe", machines()[0], kBf16, "x").has_value());
  constexpr std::array<std::string_view, 1> kFp4 = {"nvfp4"};
  CHECK_FALSE(curves.find("gemm", machines()[0], kFp4, "x").has_value());
  // The curve of a GPU that the catalog does not have is never taken.
  constexpr std::array<std::string_view, 1> kFp8 = {"fp8"};
  CHECK_FALSE(curves.find("gemm", machines()[0], kFp8, "x").has_value());
  CHECK_FALSE(CurveSet().find("gemm", machines()[0], kBf16, "x").has_value());
}

TEST_CASE("formats are preferred in the order given, even on another GPU") {
  const CurveSet curves = set({{"gemm", "old", "bf16", "x"}, {"gemm", "new", "fp8", "x"}});
  const auto match = curves.find("gemm", machines()[0], kFp8OrBf16, "x");
  REQUIRE(match.has_value());
  CHECK(match->curve->key.dtype == "fp8");
  CHECK(match->estimate);
  const CurveSet lesser = set({{"gemm", "old", "bf16", "x"}});
  const auto second = lesser.find("gemm", machines()[0], kFp8OrBf16, "x");
  REQUIRE(second.has_value());
  CHECK(second->estimate);
}

TEST_CASE("the same architecture comes before others, then the machine most alike") {
  // Old: rates 100 and 1. A stranger of 120 and 1.1 is far nearer to it than to the new ones, but
  // its architecture is theirs.
  const CurveSet curves = set({{"gemm", "old", "bf16", "x"},
                               {"gemm", "new", "bf16", "x"},
                               {"gemm", "sister", "bf16", "x"}});
  const auto kin = curves.find("gemm", machine("kin", "B", 120, 1.1), kBf16, "x");
  REQUIRE(kin.has_value());
  CHECK(kin->curve->key.gpu == "sister");  // 3 / 1.1 is less than 4 / 1.1.
  const auto stranger = curves.find("gemm", machine("stranger", "C", 120, 1.1), kBf16, "x");
  REQUIRE(stranger.has_value());
  CHECK(stranger->curve->key.gpu == "old");
  const auto fast = curves.find("gemm", machine("fast", "C", 2000, 8), kBf16, "x");
  REQUIRE(fast.has_value());
  CHECK(fast->curve->key.gpu == "new");
}

TEST_CASE("an estimate takes the wider of both bands") {
  const CurveSet curves = set({{"gemm", "new", "bf16", "x"}});
  const auto match = curves.find("gemm", machine("other", "C", 500, 2), kBf16, "x");
  REQUIRE(match.has_value());
  CHECK(match->estimate);
  CHECK(match->band == ErrorBand{.median = 0.3, .p90 = 0.2, .low = 0.9, .high = 2.0});
}

TEST_CASE("the GPU counts more than the engine, the engine more than the variant") {
  const CurveSet curves = set({{"moe", "new", "bf16", "x", "k1"},
                               {"moe", "new", "bf16", "y", "k2"},
                               {"moe", "old", "bf16", "y", "k1"}});
  const auto engine = curves.find("moe", machines()[1], kBf16, "y", "k1");
  REQUIRE(engine.has_value());
  CHECK(engine->curve->key == CurveKey{"moe", "new", "bf16", "y", "k2"});
  CHECK(engine->estimate);  // another variant
  const auto variant = curves.find("moe", machines()[1], kBf16, "x", "k1");
  REQUIRE(variant.has_value());
  CHECK(variant->curve->key.variant == "k1");
  const auto unknown = curves.find("moe", machines()[1], kBf16, "z", "k2");
  REQUIRE(unknown.has_value());
  CHECK(unknown->curve->key == CurveKey{"moe", "new", "bf16", "y", "k2"});
  CHECK(unknown->estimate);
}

TEST_CASE("a curve sees as much arithmetic as the GPU's best multiply allows") {
  Gpu measured = machines()[1];
  measured.measured_bf16 = 0.8 * measured.bf16;
  Gpu other = machine("other", "C", 500, 2);
  CHECK(achievable(other, measured).bf16 == other.bf16);  // nothing published
  other.measured_bf16 = 0.4 * other.bf16;
  CHECK(achievable(other, measured).bf16 / other.bf16 == Approx(0.5));
  CHECK(achievable(other, measured).memory_bandwidth == other.memory_bandwidth);
  other.measured_bf16 = 0.9 * other.bf16;
  CHECK(achievable(other, measured).bf16 / other.bf16 == Approx(1.0));  // never above the sheet
  CHECK(achievable(measured, measured).bf16 == measured.bf16);
}

TEST_CASE("what a GPU achieves in a narrow format it was not timed in") {
  Gpu measured = machines()[1];
  measured.fp8 = 2.0 * measured.bf16;
  measured.fp4 = 4.0 * measured.bf16;
  measured.measured_bf16 = 0.8 * measured.bf16;
  measured.measured_fp8 = 0.6 * measured.fp8;
  Gpu other = machine("other", "C", 500, 2);
  other.fp8 = 2.0 * other.bf16;
  other.fp4 = 4.0 * other.bf16;
  other.measured_bf16 = 0.4 * other.bf16;
  // Another architecture: as short as in the next wider format that is known.
  CHECK(achievable(other, measured).fp8 / other.fp8 == Approx(0.5));
  CHECK(achievable(other, measured).fp4 / other.fp4 == Approx(0.5));
  other.measured_fp8 = 0.15 * other.fp8;
  CHECK(achievable(other, measured).fp8 / other.fp8 == Approx(0.25));
  CHECK(achievable(other, measured).fp4 / other.fp4 == Approx(0.25));
  // The same one: the kernels' own time outside tensor cores is carried instead.
  other.architecture = measured.architecture;
  CHECK(achievable(other, measured).fp8 / other.fp8 == Approx(0.25));
  CHECK(achievable(other, measured).fp4 / other.fp4 == Approx(1.0));
  CHECK(best_multiplies_known(other, measured, MathFormat::Fp8));
  CHECK_FALSE(best_multiplies_known(other, measured, MathFormat::Fp4));
}

TEST_CASE("operations without formats match curves without formats") {
  const CurveSet curves = set({{"nccl", "new", "", "nccl"}});
  const auto match = curves.find("nccl", machines()[1], {}, "nccl");
  REQUIRE(match.has_value());
  CHECK_FALSE(match->estimate);
  CHECK_FALSE(curves.find("nccl", machines()[1], kBf16, "nccl").has_value());
}

}  // namespace moesim::catalog
