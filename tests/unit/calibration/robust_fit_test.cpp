#include "calibration/robust_fit.h"

#include <vector>

#include "tests/support/catch.h"

namespace moesim::calibration {
namespace {

constexpr operators::CoefficientSpec kSpecs[] = {{"floor_us", 1.0, 0.1, 100.0},
                                                 {"slope", 1.0, 0.01, 100.0}};

/// floor + slope x on x = 1 .. 64.
void line(std::span<const double> c, std::span<double> out) {
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = c[0] + c[1] * static_cast<double>(i + 1);
}

}  // namespace

TEST_CASE("a fit finds the coefficients that made the data") {
  std::vector<double> measured(64);
  line(std::vector<double>{7.0, 0.25}, measured);
  const FitResult fit = robust_fit(kSpecs, measured, line);
  CHECK(fit.coefficients[0] == Approx(7.0).epsilon(1e-3));
  CHECK(fit.coefficients[1] == Approx(0.25).epsilon(1e-3));
}

TEST_CASE("a tenth of the rows being wild does not move the fit") {
  std::vector<double> measured(64);
  line(std::vector<double>{7.0, 0.25}, measured);
  for (std::size_t i = 0; i < measured.size(); i += 10) measured[i] *= 3.0;
  const FitResult fit = robust_fit(kSpecs, measured, line);
  CHECK(fit.coefficients[0] == Approx(7.0).epsilon(0.02));
  CHECK(fit.coefficients[1] == Approx(0.25).epsilon(0.02));
}

TEST_CASE("coefficients stay within their bounds") {
  std::vector<double> measured(64);
  line(std::vector<double>{500.0, 0.001}, measured);
  const FitResult fit = robust_fit(kSpecs, measured, line);
  CHECK(fit.coefficients[0] <= 100.0);
  CHECK(fit.coefficients[1] >= 0.01);
}

TEST_CASE("the same input gives the same digits") {
  std::vector<double> measured(64);
  line(std::vector<double>{3.0, 2.5}, measured);
  measured[5] *= 1.7;
  CHECK(robust_fit(kSpecs, measured, line).coefficients ==
        robust_fit(kSpecs, measured, line).coefficients);
}

}  // namespace moesim::calibration
