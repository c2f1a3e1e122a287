#include "core/random.h"

#include <cmath>

#include "core/check.h"
#include "core/math.h"

namespace moesim {
namespace {

__extension__ using Wide = unsigned __int128;

/// One word that depends on every bit of seed, name and entity.
std::uint64_t hash_of(std::uint64_t seed, std::string_view name, std::uint64_t entity) {
  std::uint64_t hash = mix64(seed);
  for (const char c : name) hash = mix64(hash ^ static_cast<unsigned char>(c));
  hash = mix64(hash ^ name.size());
  return mix64(hash ^ entity);
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, std::string_view name, std::uint64_t entity) {
  // splitmix64: a counter of step 0x9e37..., each value through mix64. Four distinct inputs of a
  // bijection: at most one word is zero, so the state is never the forbidden all-zero one.
  std::uint64_t counter = hash_of(seed, name, entity);
  for (std::uint64_t& word : s_) {
    word = mix64(counter);
    counter += 0x9e3779b97f4a7c15ULL;
  }
}

std::uint64_t RandomStream::below(std::uint64_t n) {
  MOESIM_DCHECK(n >= 1, "below(0) has no value to return");
  Wide product = static_cast<Wide>(next()) * n;
  if (static_cast<std::uint64_t>(product) < n) {
    const std::uint64_t excess = (0 - n) % n;  // 2^64 mod n
    while (static_cast<std::uint64_t>(product) < excess) {
      product = static_cast<Wide>(next()) * n;
    }
  }
  return static_cast<std::uint64_t>(product >> 64);
}

double RandomStream::exponential() { return 0.0 - math::log(1.0 - uniform()); }

double RandomStream::normal() {
  for (;;) {
    const double u = 2.0 * uniform() - 1.0;
    const double v = 2.0 * uniform() - 1.0;
    const double s = u * u + v * v;
    if (s < 1.0 && s > 0.0) return u * std::sqrt(-2.0 * math::log(s) / s);
  }
}

double RandomStream::gamma(double shape) {
  MOESIM_DCHECK(shape > 0.0, "gamma needs a positive shape");
  if (shape < 1.0) {
    // If G has shape a + 1 and U is uniform, G * U^(1/a) has shape a. `gamma` returns means of 1.
    const double larger = gamma(shape + 1.0) * (shape + 1.0);
    return larger * math::exp(math::log(1.0 - uniform()) / shape) / shape;
  }
  const double d = shape - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    const double x = normal();
    const double root = 1.0 + c * x;
    if (root <= 0.0) continue;
    const double v = root * root * root;
    const double u = 1.0 - uniform();
    if (math::log(u) < 0.5 * x * x + d * (1.0 - v + math::log(v))) return d * v / shape;
  }
}

}  // namespace moesim
