// Energy of a deployment, against sums done by hand.
#include <cmath>
#include <vector>

#include "catalog/curve.h"
#include "cost/energy.h"
#include "operators/board_power.h"
#include "tests/support/catch.h"

namespace moesim::cost {
namespace {

/// 1000 W, 1 PFLOP/s, 1 TB/s; 300 W around it.
catalog::Gpu toy_gpu() {
  catalog::Gpu gpu;
  gpu.name = "toy";
  gpu.architecture = "A";
  gpu.bf16 = 1e15 * kFlop / kSecond;
  gpu.memory_bandwidth = 1e12 * kByte / kSecond;
  gpu.tdp = 1000.0 * kWatt;
  gpu.all_in_power = 1300.0 * kWatt;
  return gpu;
}

/// Idle at 200 W, at most 800 W, as much from arithmetic as from memory.
catalog::CurveSet toy_curves(const std::string& gpu) {
  catalog::Curve curve;
  curve.key = {.operation = "power_gemm", .gpu = gpu, .dtype = "bf16", .engine = "trtllm"};
  curve.coefficients = {
      {"idle", 0.2}, {"ceiling", 0.8}, {"compute", 2.0}, {"memory", 2.0}, {"sharpness", 1.0}};
  std::vector<catalog::Gpu> gpus = {toy_gpu()};
  gpus.front().name = gpu;
  return {{curve}, gpus};
}

catalog::WeightFormat bf16() {
  catalog::WeightFormat format;
  format.math = catalog::MathFormat::Bf16;
  return format;
}

}  // namespace

TEST_CASE("energy: a GPU that is half busy, by hand") {
  // Busy half of the time; over all time 0.1 PFLOP/s and 0.2 TB/s, so while busy 0.2 and 0.4 of
  // the rates. Busy: 200 + 600 (1 - exp(-(2 x 0.2 + 2 x 0.4))) = 200 + 600 (1 - e^-1.2).
  const catalog::CurveSet curves = toy_curves("toy");
  const GpuActivity activity{.busy = 0.5, .flops_per_s = 1e14, .bytes_per_s = 2e11};
  const Energy e = energy(toy_gpu(), bf16(), &curves, activity, 8, 1000, 720, 0.1);
  const double busy = 200 + 600 * (1 - std::exp(-1.2));
  const double board = 0.5 * busy + 0.5 * 200;
  CHECK(e.known);
  CHECK_FALSE(e.estimate);
  CHECK(e.board / kWatt == Approx(board));
  CHECK(e.facility / kWatt == Approx(board + 300));
  CHECK(e.all_gpus_kwh_per_month == Approx((board + 300) * 8 / 1000 * 720));
  CHECK(e.joules_per_output_token == Approx((board + 300) * 8 / 1000));
  CHECK(e.usd_per_month == Approx((board + 300) * 8 / 1000 * 720 * 0.1));
}

TEST_CASE("energy: an idle GPU draws its idle power") {
  const catalog::CurveSet curves = toy_curves("toy");
  const Energy e = energy(toy_gpu(), bf16(), &curves, {}, 8, 0, 720, 0);
  CHECK(e.board / kWatt == Approx(200));
  CHECK(e.joules_per_output_token == 0);
  CHECK(e.usd_per_month == 0);
}

TEST_CASE("energy: busy all the time at every rate stays under the ceiling") {
  const catalog::CurveSet curves = toy_curves("toy");
  const GpuActivity activity{.busy = 1, .flops_per_s = 1e30, .bytes_per_s = 1e30};
  const Energy e = energy(toy_gpu(), bf16(), &curves, activity, 1, 1, 720, 0);
  CHECK(e.board / kWatt == Approx(200 + 600 * (1 - std::exp(-4.0))));
}

TEST_CASE("energy: without a curve of its own the figure is an estimate") {
  const GpuActivity activity{.busy = 0.5, .flops_per_s = 1e14, .bytes_per_s = 2e11};
  const catalog::CurveSet other = toy_curves("another");
  const Energy borrowed = energy(toy_gpu(), bf16(), &other, activity, 8, 1000, 720, 0.1);
  const catalog::CurveSet own = toy_curves("toy");
  CHECK(borrowed.estimate);
  // The other's coefficients are shares of the power rating: they hold for this GPU's rating.
  CHECK(borrowed.board == energy(toy_gpu(), bf16(), &own, activity, 8, 1000, 720, 0.1).board);
  const Energy usual = energy(toy_gpu(), bf16(), nullptr, activity, 8, 1000, 720, 0.1);
  CHECK(usual.estimate);
  CHECK(usual.board == 0.5 * operators::board_power(toy_gpu(), 0.2, 0.4) +
                           0.5 * operators::board_power(toy_gpu(), 0, 0));
}

TEST_CASE("energy: a GPU without a power rating has none") {
  catalog::Gpu gpu = toy_gpu();
  gpu.tdp = Watts{};
  CHECK_FALSE(energy(gpu, bf16(), nullptr, {.busy = 1}, 8, 1, 720, 0.1).known);
}

}  // namespace moesim::cost
