// A running 64-bit hash of what a run did: equal fingerprints, equal runs.
//
// Layer: core.
#pragma once

#include <cstdint>

#include "core/random.h"

namespace moesim {

/// Order-sensitive hash of integers; add the event sequence, then the results.
class Fingerprint {
 public:
  void add(std::uint64_t word) { hash_ = mix64(hash_ ^ word) + 0x2545f4914f6cdd1dULL * hash_; }
  void add(std::int64_t word) { add(static_cast<std::uint64_t>(word)); }
  [[nodiscard]] std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = 0x6d6f6573696d0001ULL;
};

}  // namespace moesim
