#include "core/random.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace moesim {
namespace {

constexpr int kDraws = 200'000;

/// xoshiro256++ from the paper's description: the output scrambles words 0 and 3; the linear step
/// is the matrix product written as one assignment of the new state.
struct Reference {
  std::array<std::uint64_t, 4> s;
  std::uint64_t next() {
    const std::uint64_t out = std::rotl(s[0] + s[3], 23) + s[0];
    s = {s[0] ^ s[1] ^ s[3], s[0] ^ s[1] ^ s[2], s[2] ^ s[0] ^ (s[1] << 17),
         std::rotl(s[3] ^ s[1], 45)};
    return out;
  }
};

/// splitmix64 as published: a counter, then the finaliser.
std::uint64_t splitmix(std::uint64_t& counter) {
  counter += 0x9e3779b97f4a7c15;
  std::uint64_t z = counter;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

std::uint64_t splitmix_once(std::uint64_t x) { return splitmix(x); }

TEST_CASE("mix64: the published outputs of splitmix64 for seed 1234567", "[core][oracle]") {
  constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15;
  CHECK(mix64(1234567) == 6457827717110365317U);
  CHECK(mix64(1234567 + kStep) == 3203168211198807973U);
  CHECK(mix64(1234567 + 2 * kStep) == 9817491932198370423U);
}

TEST_CASE("RandomStream: is xoshiro256++ on a state filled by splitmix64", "[core][oracle]") {
  // State {1, 2, 3, 4}: (1 + 4) <<< 23 = 5 * 2^23 = 41943040, + 1. Then by the matrix the state is
  // {1^2^4, 1^2^3, 3^1^(2<<17), (4^2)<<<45} = {7, 0, 2^18+2, 6*2^45}: sum 7 + 6*2^45 rotated by 23:
  // 7*2^23 + (6*2^45)<<<23 = 58720256 + 6*2^68 mod the turn = 6*2^4 = 96; + 7: 58720359.
  Reference hand{{1, 2, 3, 4}};
  REQUIRE(hand.next() == 41943041U);
  REQUIRE(hand.next() == 58720359U);

  std::uint64_t hash = splitmix_once(42);
  for (const char c : std::string("arrivals")) {
    hash = splitmix_once(hash ^ static_cast<std::uint64_t>(c));
  }
  hash = splitmix_once(hash ^ 8U);  // length of the name
  hash = splitmix_once(hash ^ 5U);  // entity
  Reference reference{};
  for (std::uint64_t& word : reference.s) word = splitmix(hash);
  RandomStream stream(42, "arrivals", 5);
  for (int i = 0; i < 1000; ++i) REQUIRE(stream.next() == reference.next());
}

TEST_CASE("RandomStream: same seed and name and entity repeat, all others differ", "[core]") {
  const auto first = [](std::uint64_t seed, std::string_view name, std::uint64_t entity) {
    RandomStream s(seed, name, entity);
    return std::array{s.next(), s.next(), s.next()};
  };
  const auto base = first(1, "arrivals", 0);
  CHECK(base == first(1, "arrivals", 0));
  CHECK(base != first(2, "arrivals", 0));
  CHECK(base != first(1, "arrivals", 1));
  CHECK(base != first(1, "arrival", 0));
  CHECK(base != first(1, "lengths", 0));
  CHECK(base != first(0, "arrivals", 1));
  CHECK(first(1, "", 0) != first(1, std::string_view("\0", 1), 0));
}

TEST_CASE("RandomStream: streams of neighbouring entities do not correlate", "[core]") {
  // Correlation of n pairs of independent numbers: standard error 1 / sqrt(n).
  RandomStream a(1, "requests", 7);
  RandomStream b(1, "requests", 8);
  double sum = 0.0;
  for (int i = 0; i < kDraws; ++i) sum += (a.uniform() - 0.5) * (b.uniform() - 0.5);
  CHECK(std::abs(sum / kDraws * 12.0) < 5.0 / std::sqrt(kDraws));
}

struct Moments {
  double mean = 0.0;
  double variance = 0.0;  ///< About the exact mean, given by the caller.
};

template <class Draw>
Moments moments(double exact_mean, Draw draw) {
  double sum = 0.0;
  double squares = 0.0;
  for (int i = 0; i < kDraws; ++i) {
    const double x = draw();
    sum += x;
    squares += (x - exact_mean) * (x - exact_mean);
  }
  return {sum / kDraws, squares / kDraws};
}

// In each test below: standard error of the mean sqrt(var / n), of the variance
// sqrt((mu4 - var^2) / n), with mu4 the fourth central moment; five of them are allowed.
void check_moments(const Moments& m, double mean, double variance, double mu4) {
  CHECK(std::abs(m.mean - mean) < 5.0 * std::sqrt(variance / kDraws));
  CHECK(std::abs(m.variance - variance) < 5.0 * std::sqrt((mu4 - variance * variance) / kDraws));
}

TEST_CASE("uniform: mean 1/2 and variance 1/12, from 0 to below 1", "[core][oracle]") {
  RandomStream s(1, "uniform");
  bool inside = true;
  const Moments m = moments(0.5, [&] {
    const double u = s.uniform();
    inside = inside && u >= 0.0 && u < 1.0;
    return u;
  });
  CHECK(inside);
  check_moments(m, 0.5, 1.0 / 12.0, 1.0 / 80.0);  // mu4 = integral of x^4 over [-1/2, 1/2]
}

TEST_CASE("exponential: mean 1, variance 1, fourth moment 9", "[core][oracle]") {
  RandomStream s(1, "exponential");
  int beyond_one = 0;
  bool negative = false;
  const Moments m = moments(1.0, [&] {
    const double x = s.exponential();
    beyond_one += x > 1.0 ? 1 : 0;
    negative = negative || x < 0.0;
    return x;
  });
  check_moments(m, 1.0, 1.0, 9.0);
  CHECK_FALSE(negative);
  // P(X > 1) = 1/e: binomial with p = 0.36788, sqrt(p (1-p)) = 0.48223.
  CHECK(std::abs(beyond_one / double{kDraws} - 0.36788) < 5.0 * 0.48223 / std::sqrt(kDraws));
}

TEST_CASE("normal: mean 0, variance 1, fourth moment 3", "[core][oracle]") {
  RandomStream s(1, "normal");
  int beyond_two = 0;
  const Moments m = moments(0.0, [&] {
    const double x = s.normal();
    beyond_two += x > 2.0 ? 1 : 0;
    return x;
  });
  check_moments(m, 0.0, 1.0, 3.0);
  // P(X > 2) = 0.0227501 (tables); sqrt(p (1-p)) = 0.149106.
  CHECK(std::abs(beyond_two / double{kDraws} - 0.0227501) < 5.0 * 0.149106 / std::sqrt(kDraws));
}

TEST_CASE("gamma: mean 1, variance 1/shape, below and above shape 1", "[core][oracle]") {
  for (const double shape : {0.25, 0.7, 1.0, 2.5, 40.0}) {
    CAPTURE(shape);
    RandomStream s(1, "gamma", static_cast<std::uint64_t>(shape * 100));
    // Excess kurtosis of a gamma is 6 / shape.
    const double mu4 = (3.0 + 6.0 / shape) / (shape * shape);
    check_moments(moments(1.0, [&] { return s.gamma(shape); }), 1.0, 1.0 / shape, mu4);
  }
}

TEST_CASE("gamma: shape 1 is the exponential law", "[core][oracle]") {
  RandomStream s(1, "gamma of one");
  int beyond_one = 0;
  for (int i = 0; i < kDraws; ++i) beyond_one += s.gamma(1.0) > 1.0 ? 1 : 0;
  CHECK(std::abs(beyond_one / double{kDraws} - 0.36788) < 5.0 * 0.48223 / std::sqrt(kDraws));
}

TEST_CASE("below: every face of a die comes up as often", "[core][oracle]") {
  // p = 1/6: standard error of a count sqrt(n * 1/6 * 5/6).
  RandomStream s(1, "die");
  std::array<int, 6> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts.at(s.below(6));
  for (const int count : counts) {
    CHECK(std::abs(count - kDraws / 6.0) < 5.0 * std::sqrt(kDraws * 5.0 / 36.0));
  }
  CHECK(s.below(1) == 0);
}

TEST_CASE("below: large ranges are not biased", "[core][oracle]") {
  // n = 3 * 2^62. Without rejection floor(x * 3/4) maps x = 4m, 4m+1 to 3m, 4m+2 to 3m+1 and 4m+3
  // to 3m+2: multiples of three would come up half of the time. Unbiased: a third.
  RandomStream s(1, "large");
  std::array<int, 3> counts{};
  for (int i = 0; i < kDraws; ++i) ++counts.at(s.below(std::uint64_t{3} << 62) % 3);
  for (const int count : counts) {
    CHECK(std::abs(count - kDraws / 3.0) < 5.0 * std::sqrt(kDraws * 2.0 / 9.0));
  }
}

}  // namespace
}  // namespace moesim
