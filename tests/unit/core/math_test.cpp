#include "core/math.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/fingerprint.h"
#include "core/random.h"
#include "tests/support/catch.h"

namespace moesim {
namespace {

using moesim::test::WithinRel;

// Oracle: the C library in 80-bit long double, 11 bits more than a double.
constexpr double kTolerance = 4e-15;
constexpr long double kPi = 3.14159265358979323846264338327950288L;
constexpr long double kRootHalf = 0.70710678118654752440084436210484904L;
constexpr int kPoints = 50'000;

long double wide(double x) { return static_cast<long double>(x); }

/// Largest relative error of one function.
class Worst {
 public:
  void see(double value, long double exact) {
    const long double error = std::abs((wide(value) - exact) / exact);
    worst_ = std::max(worst_, static_cast<double>(error));
  }
  [[nodiscard]] double value() const { return worst_; }

 private:
  double worst_ = 0.0;
};

/// Uniform in [low, high).
double between(RandomStream& random, double low, double high) {
  return low + (high - low) * random.uniform();
}

TEST_CASE("log: agrees with the C library", "[core][oracle]") {
  RandomStream random(1, "log");
  Worst worst;
  for (int i = 0; i < kPoints; ++i) {
    const double x = std::exp(between(random, -700, 700));
    worst.see(math::log(x), std::log(wide(x)));
    const double near_one = 1.0 + between(random, -1, 1) * std::exp(between(random, -34, -1));
    if (near_one != 1.0) worst.see(math::log(near_one), std::log(wide(near_one)));
  }
  for (const double x :
       {5e-324, 1e-310, 2.2250738585072014e-308, 1.7976931348623157e308, 2.0, 0.5}) {
    worst.see(math::log(x), std::log(wide(x)));
  }
  CHECK(worst.value() < kTolerance);
  CHECK(math::log(1.0) == 0.0);
}

TEST_CASE("exp: agrees with the C library and is 0 or infinity beyond 700", "[core][oracle]") {
  RandomStream random(1, "exp");
  Worst worst;
  for (int i = 0; i < kPoints; ++i) {
    const double x = between(random, -700, 700);
    worst.see(math::exp(x), std::exp(wide(x)));
    const double small = between(random, -1, 1);
    worst.see(math::exp(small), std::exp(wide(small)));
  }
  for (const double x : {700.0, -700.0, 1e-300, -1e-18}) {
    worst.see(math::exp(x), std::exp(wide(x)));
  }
  CHECK(worst.value() < kTolerance);
  CHECK(math::exp(0.0) == 1.0);
  CHECK(math::exp(700.1) == std::numeric_limits<double>::infinity());
  CHECK(math::exp(-700.1) == 0.0);
  CHECK(std::isnan(math::exp(std::numeric_limits<double>::quiet_NaN())));
}

TEST_CASE("pow: agrees with the C library wherever the result is within exp's range",
          "[core][oracle]") {
  RandomStream random(1, "pow");
  Worst worst;
  for (int i = 0; i < kPoints; ++i) {
    const double x = std::exp(between(random, -300, 300));
    const double y = between(random, -699, 699) / std::log(x);
    worst.see(math::pow(x, y), std::pow(wide(x), wide(y)));
    const double near_one = 1.0 + between(random, -1, 1) * std::exp(between(random, -20, -1));
    if (near_one == 1.0) continue;
    const double large = between(random, -699, 699) / std::log(near_one);
    worst.see(math::pow(near_one, large), std::pow(wide(near_one), wide(large)));
    const double plain = between(random, 0.01, 1000);
    const double exponent = between(random, -3, 3);
    worst.see(math::pow(plain, exponent), std::pow(wide(plain), wide(exponent)));
  }
  CHECK(worst.value() < kTolerance);
  CHECK(math::pow(2.0, 0.0) == 1.0);
  CHECK(math::pow(1.0, 1e300) == 1.0);
  CHECK_THAT(math::pow(2.0, 10.0), WithinRel(1024.0, kTolerance));
  CHECK(math::pow(10.0, 400.0) == std::numeric_limits<double>::infinity());
  CHECK(math::pow(10.0, -400.0) == 0.0);
}

TEST_CASE("sin_pi: agrees with the C library and is exact at quarter turns", "[core][oracle]") {
  RandomStream random(1, "sin");
  Worst worst;
  for (int i = 0; i < kPoints; ++i) {
    const double x = between(random, -1, 1) * (i % 2 == 0 ? 4.0 : 1e6);
    const long double nearest = std::round(wide(x));
    const long double rest = wide(x) - nearest;  // exact
    if (rest == 0) continue;
    const bool odd = std::fmod(std::abs(nearest), 2.0L) != 0;
    worst.see(math::sin_pi(x), (odd ? -1 : 1) * std::sin(kPi * rest));
  }
  CHECK(worst.value() < kTolerance);
  CHECK(math::sin_pi(0.0) == 0.0);
  CHECK(math::sin_pi(0.5) == 1.0);
  CHECK(math::sin_pi(1.5) == -1.0);
  CHECK(math::sin_pi(-0.5) == -1.0);
  CHECK(math::sin_pi(999'999.0) == 0.0);
  CHECK_THAT(math::sin_pi(1.0 / 6.0), WithinRel(0.5, kTolerance));
}

long double normal_cdf_exact(double z) { return 0.5L * std::erfc(-wide(z) * kRootHalf); }

TEST_CASE("normal_cdf: agrees with the C library far into both tails", "[core][oracle]") {
  RandomStream random(1, "normal_cdf");
  Worst worst;
  for (int i = 0; i < kPoints / 5; ++i) {
    const double far = between(random, -37, 9);
    worst.see(math::normal_cdf(far), normal_cdf_exact(far));
    const double near = between(random, -3, 3);
    worst.see(math::normal_cdf(near), normal_cdf_exact(near));
  }
  for (const double z : {-1.0, 1.0, std::nextafter(-1.0, -2.0), std::nextafter(1.0, 2.0), 1e-300}) {
    worst.see(math::normal_cdf(z), normal_cdf_exact(z));
  }
  CHECK(worst.value() < kTolerance);
  CHECK(math::normal_cdf(0.0) == 0.5);
  CHECK(math::normal_cdf(-1e5) == 0.0);
  CHECK(math::normal_cdf(1e5) == 1.0);
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(math::normal_cdf(infinity) == 1.0);
  CHECK(math::normal_cdf(-infinity) == 0.0);
}

TEST_CASE("inverse_normal_cdf: known quantiles", "[core][oracle]") {
  // Printed tables, 16 digits.
  CHECK(math::inverse_normal_cdf(0.5) == 0.0);
  CHECK_THAT(math::inverse_normal_cdf(0.975), WithinRel(1.959963984540054, 1e-15));
  CHECK_THAT(math::inverse_normal_cdf(0.025), WithinRel(-1.959963984540054, 1e-15));
  CHECK_THAT(math::inverse_normal_cdf(0.75), WithinRel(0.6744897501960817, 1e-15));
  CHECK_THAT(math::inverse_normal_cdf(0.99), WithinRel(2.326347874040841, 1e-15));
}

TEST_CASE("inverse_normal_cdf: one Newton step in long double does not move it", "[core][oracle]") {
  RandomStream random(1, "inverse");
  double worst = 0.0;
  for (int i = 0; i < kPoints / 5; ++i) {
    const double sign = random.uniform() < 0.5 ? -1.0 : 1.0;
    const double p = i % 3 == 0   ? random.uniform()
                     : i % 3 == 1 ? 0.5 + 0.4 * sign * std::exp(between(random, -30, 0))
                                  : std::exp(between(random, -690, -1));
    if (p <= 0.0 || p >= 1.0 || p == 0.5) continue;
    const double z = math::inverse_normal_cdf(p);
    const long double density = std::exp(-0.5L * wide(z) * wide(z)) / std::sqrt(2 * kPi);
    // Near the centre compare areas from the middle, in the tails the tails: no cancellation.
    long double excess = 0.5L * std::erf(wide(z) * kRootHalf) - (wide(p) - 0.5L);
    if (z < -1.0) excess = normal_cdf_exact(z) - wide(p);
    if (z > 1.0) excess = (1.0L - wide(p)) - normal_cdf_exact(-z);
    worst = std::max(worst, static_cast<double>(std::abs(excess / density / wide(z))));
  }
  CHECK(worst < kTolerance);
}

TEST_CASE("math: the same bits on every machine and with every compiler", "[core][golden]") {
  // Golden: printed by this program once. Only a change of the functions may move it.
  Fingerprint bits;
  RandomStream random(1, "bits");
  const auto add = [&bits](double x) { bits.add(std::bit_cast<std::uint64_t>(x)); };
  for (int i = 0; i < 2000; ++i) {
    const double u = random.uniform();
    add(math::log(u + 0x1p-60));
    add(math::exp(1400.0 * (u - 0.5)));
    add(math::pow(10.0 * u + 0.01, 6.0 * u - 3.0));
    add(math::sin_pi(100.0 * u));
    add(math::normal_cdf(20.0 * (u - 0.5)));
    add(math::inverse_normal_cdf(u + 0x1p-60));
    add(random.exponential());
    add(random.normal());
    add(random.gamma(0.5 + u));
  }
  CHECK(bits.value() == 0xff9fce7e9b7c92bcULL);
}

}  // namespace
}  // namespace moesim
