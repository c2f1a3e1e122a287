#include "core/math.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

// Only + - * / sqrt, floor (exact) and bit operations below; every series is written as its
// Taylor coefficients, so that each can be checked by eye.
namespace moesim::math {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// ln 2 = kLn2High + kLn2Low; the high part ends in 16 zero bits, so k * kLn2High is exact for the
// exponents k of doubles.
constexpr double kLn2High = 0x1.62e42fefap-1;
constexpr double kLn2Low = 0x1.cf79abc9e3b39803p-40;
constexpr double kPi = 3.14159265358979323846;
constexpr double kInverseSqrtTwoPi = 0.398942280401432677940;

/// An unevaluated sum, |low| <= ulp(high) / 2: about 106 bits.
struct Pair {
  double high;
  double low;
};

/// a + b exactly, any order of magnitude (Knuth).
Pair exact_sum(double a, double b) {
  const double sum = a + b;
  const double part = sum - a;
  return {sum, (a - (sum - part)) + (b - part)};
}

/// a * b exactly for |a|, |b| below 1e290 (Dekker's product with Veltkamp's splitting).
Pair exact_product(double a, double b) {
  constexpr double kSplit = 134217729.0;  // 2^27 + 1
  const double a_high = kSplit * a - (kSplit * a - a);
  const double b_high = kSplit * b - (kSplit * b - b);
  const double a_low = a - a_high;
  const double b_low = b - b_high;
  const double product = a * b;
  return {product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low};
}

Pair operator*(Pair a, Pair b) {
  const Pair p = exact_product(a.high, b.high);
  return exact_sum(p.high, p.low + (a.high * b.low + a.low * b.high));
}

Pair operator+(Pair a, Pair b) {
  const Pair s = exact_sum(a.high, b.high);
  return exact_sum(s.high, s.low + (a.low + b.low));
}

/// Coefficients c[0] + x c[1] + x^2 c[2] + ...
template <std::size_t N>
double polynomial(const std::array<double, N>& c, double x) {
  double sum = c[N - 1];
  for (std::size_t i = N - 1; i-- > 0;) sum = sum * x + c[i];
  return sum;
}

/// x = fraction * 2^exponent with fraction in [sqrt(1/2), sqrt(2)).
struct Split {
  double fraction;
  double exponent;
};

Split split(double x) {
  int shift = 0;
  if (x < std::numeric_limits<double>::min()) {  // subnormal
    x *= 0x1p54;
    shift = -54;
  }
  // Adding the distance from sqrt(1/2) to 1 carries into the exponent exactly for x >= sqrt(1/2).
  constexpr std::uint64_t kOne = 0x3ff0000000000000ULL;
  constexpr std::uint64_t kRootHalf = 0x3fe6a09e667f3bcdULL;
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(x) + (kOne - kRootHalf);
  const int exponent = static_cast<int>(bits >> 52) - 1023;
  const double fraction = std::bit_cast<double>((bits & 0x000fffffffffffffULL) + kRootHalf);
  return {fraction, static_cast<double>(exponent + shift)};
}

// atanh(s) / s = 1 + s^2/3 + s^4/5 + ...; |s| <= 0.1716, so the first term left out is below 1e-19.
constexpr std::array<double, 13> kAtanhSeries = {
    1.0,        1.0 / 3.0,  1.0 / 5.0,  1.0 / 7.0,  1.0 / 9.0,  1.0 / 11.0, 1.0 / 13.0,
    1.0 / 15.0, 1.0 / 17.0, 1.0 / 19.0, 1.0 / 21.0, 1.0 / 23.0, 1.0 / 25.0};

/// log(x) to about 2^-64 relative, for `pow`: y * log(x) may be 700 times 1.
Pair log_pair(double x) {
  const auto [m, k] = split(x);
  const Pair f = {m - 1.0, 0.0};  // exact
  const Pair d = exact_sum(m, 1.0);
  // s = f / d: one division, then one correction by the exact remainder.
  const double s0 = f.high / d.high;
  const Pair back = exact_product(s0, d.high);
  const double s1 = (((f.high - back.high) - back.low) - s0 * d.low) / d.high;
  const Pair s = exact_sum(s0, s1);
  // log m = 2s + 2s^3/3 + 2s^5 (1/5 + s^2/7 + ...); the last part is below 2e-4 of the whole.
  const Pair s2 = s * s;
  const Pair third = {1.0 / 3.0, 0x1.5555555555555p-56};
  const double z = s2.high;
  double tail = 0.0;
  for (std::size_t i = kAtanhSeries.size() - 1; i >= 2; --i) tail = tail * z + kAtanhSeries[i];
  const Pair bracket = Pair{1.0, 0.0} + (s2 * third + Pair{tail * z * z, 0.0});
  const Pair log_m = s * bracket;
  return Pair{k * kLn2High, 0.0} +
         (Pair{k * kLn2Low, 0.0} + Pair{2.0 * log_m.high, 2.0 * log_m.low});
}

// 1 / n! for n = 0..14; on |r| <= ln(2)/2 the first term left out is below 1e-19.
constexpr std::array<double, 15> kExpSeries = {1.0,
                                               1.0,
                                               1.0 / 2.0,
                                               1.0 / 6.0,
                                               1.0 / 24.0,
                                               1.0 / 120.0,
                                               1.0 / 720.0,
                                               1.0 / 5040.0,
                                               1.0 / 40320.0,
                                               1.0 / 362880.0,
                                               1.0 / 3628800.0,
                                               1.0 / 39916800.0,
                                               1.0 / 479001600.0,
                                               1.0 / 6227020800.0,
                                               1.0 / 87178291200.0};

/// (-1)^n / (2n + 1)!: sin(t) / t in powers of t^2, |t| <= pi/4.
constexpr std::array<double, 9> kSinSeries = {1.0,
                                              -1.0 / 6.0,
                                              1.0 / 120.0,
                                              -1.0 / 5040.0,
                                              1.0 / 362880.0,
                                              -1.0 / 39916800.0,
                                              1.0 / 6227020800.0,
                                              -1.0 / 1307674368000.0,
                                              1.0 / 355687428096000.0};
/// (-1)^n / (2n)!: cos(t) in powers of t^2, |t| <= pi/4.
constexpr std::array<double, 10> kCosSeries = {1.0,
                                               -1.0 / 2.0,
                                               1.0 / 24.0,
                                               -1.0 / 720.0,
                                               1.0 / 40320.0,
                                               -1.0 / 3628800.0,
                                               1.0 / 479001600.0,
                                               -1.0 / 87178291200.0,
                                               1.0 / 20922789888000.0,
                                               -1.0 / 6402373705728000.0};

/// Density of the standard normal; z * z is taken exactly, else its rounding would show at large z.
double normal_density(double z) {
  const Pair square = exact_product(z, z);
  return kInverseSqrtTwoPi * (exp(-0.5 * square.high) * (1.0 - 0.5 * square.low));
}

/// normal_cdf(z) - 1/2 for |z| <= 1: density * (z + z^3/3 + z^5/(3*5) + ...), terms of one sign.
double central_area(double z) {
  const double square = z * z;
  double sum = 1.0;
  for (int n = 20; n >= 1; --n) sum = 1.0 + sum * square / (2.0 * n + 1.0);
  return normal_density(z) * z * sum;
}

/// 1 - normal_cdf(z) for z >= 0.9: density / (z + 1/(z + 2/(z + 3/(z + ...)))) (Laplace). The part
/// cut off starts from its fixed point t = z + n/t, which saves many terms.
double upper_tail(double z) {
  if (z > 38.0) return 0.0;  // exp(-z * z / 2) is 0 by then; also for infinity
  const int terms = 32 + static_cast<int>(260.0 / (z * z));
  double denominator = 0.5 * (z + std::sqrt(z * z + 4.0 * (terms + 1.0)));
  for (int n = terms; n >= 1; --n) denominator = z + n / denominator;
  return normal_density(z) / denominator;
}

}  // namespace

double log(double x) {
  const auto [m, k] = split(x);
  const double f = m - 1.0;  // exact
  const double s = f / (m + 1.0);
  return k * kLn2High + (k * kLn2Low + 2.0 * s * polynomial(kAtanhSeries, s * s));
}

double exp(double x) {
  if (x > 700.0) return kInfinity;
  if (x < -700.0) return 0.0;
  if (!(x == x)) return x;
  constexpr double kInverseLn2 = 1.44269504088896340736;
  const double k = std::floor(x * kInverseLn2 + 0.5);
  const double r = (x - k * kLn2High) - k * kLn2Low;
  const auto biased = static_cast<std::uint64_t>(static_cast<int>(k) + 1023);
  return polynomial(kExpSeries, r) * std::bit_cast<double>(biased << 52);
}

double pow(double x, double y) {
  const Pair l = log_pair(x);
  const double rough = y * l.high;
  if (!(rough >= -700.0 && rough <= 700.0)) return exp(rough);
  if (rough == 0.0) return 1.0;
  const Pair product = exact_product(y, l.high);
  return exp(product.high) * (1.0 + (product.low + y * l.low));
}

double sin_pi(double x) {
  const double n = std::floor(x + 0.5);
  const double r = x - n;  // exact, |r| <= 1/2
  const bool odd = n - 2.0 * std::floor(0.5 * n) != 0.0;
  const double size = r < 0.0 ? -r : r;
  double value = 0.0;
  if (size <= 0.25) {
    const double t = kPi * size;
    value = t * polynomial(kSinSeries, t * t);
  } else {
    const double t = kPi * (0.5 - size);
    value = polynomial(kCosSeries, t * t);
  }
  return (r < 0.0) != odd ? -value : value;
}

double normal_cdf(double z) {
  if (z > 1.0) return 1.0 - upper_tail(z);
  if (z < -1.0) return upper_tail(-z);
  return 0.5 + central_area(z);
}

double inverse_normal_cdf(double p) {
  const double q = p - 0.5;
  if (q >= -0.34 && q <= 0.34) {
    // First two terms of the inverse series, then Halley's step (f'' / f' = -z) on the area.
    const double u = q / kInverseSqrtTwoPi;
    double z = u * (1.0 + u * u / 6.0);
    for (int i = 0; i < 3; ++i) {
      const double step = (central_area(z) - q) / normal_density(z);
      z -= step / (1.0 + 0.5 * z * step);
    }
    return z;
  }
  const double tail = p < 0.5 ? p : 1.0 - p;  // exact
  // Abramowitz, Stegun, "Handbook of Mathematical Functions", 1964, 26.2.22: within 0.003.
  const double t = std::sqrt(-2.0 * log(tail));
  double z = t - (2.30753 + 0.27061 * t) / (1.0 + 0.99229 * t + 0.04481 * t * t);
  if (z < 1.0) z = 1.0;
  for (int i = 0; i < 3; ++i) {
    const double step = (tail - upper_tail(z)) / normal_density(z);
    z -= step / (1.0 + 0.5 * z * step);
    if (z < 0.9) z = 0.9;
  }
  return p < 0.5 ? -z : z;
}

}  // namespace moesim::math
