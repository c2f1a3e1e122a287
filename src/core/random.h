// Seeded random streams, one per named component and entity.
//
// xoshiro256++ (Blackman, Vigna, "Scrambled linear pseudorandom number generators", 2018), its
// state filled by splitmix64 from a hash of (seed, stream name, entity). A stream belongs to an
// entity, not to an order of calls, so two runs that differ in one setting share the numbers of
// all the rest (common random numbers). The distributions are our own: those of the standard
// library differ between implementations.
// Layer: core.
#pragma once

#include <cstdint>
#include <string_view>

namespace moesim {

/// One independent stream of random numbers.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::string_view name, std::uint64_t entity = 0);

  /// 64 uniformly random bits.
  std::uint64_t next() {
    const std::uint64_t result = rotl(s_[0] + s_[3], 23) + s_[0];
    const std::uint64_t t = s_[1] << 17;
    s_[2] ^= s_[0];
    s_[3] ^= s_[1];
    s_[1] ^= s_[2];
    s_[0] ^= s_[3];
    s_[2] ^= t;
    s_[3] = rotl(s_[3], 45);
    return result;
  }
  /// Uniform in [0, 1), 53 bits.
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  /// Uniform integer in [0, n). Precondition: n >= 1. Unbiased (Lemire 2019).
  std::uint64_t below(std::uint64_t n);
  /// Mean 1.
  double exponential();
  /// Mean 0, variance 1 (polar method; no state kept between calls).
  double normal();
  /// Mean 1, coefficient of variation 1/sqrt(shape) (Marsaglia, Tsang 2000). Precondition: shape >
  /// 0.
  double gamma(double shape);

 private:
  static std::uint64_t rotl(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
  std::uint64_t s_[4];
};

/// splitmix64's finaliser: a fixed bijection of 64-bit words, used as hash.
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

}  // namespace moesim
