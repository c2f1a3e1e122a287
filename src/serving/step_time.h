// Where the time of an iteration goes.
//
// Layer: serving.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/units.h"
#include "operators/operator_time.h"

namespace moesim::serving {

/// Parts of an iteration. Each is the mean over the ranks of a stage; what a rank spends waiting
/// for a slower one is its own part, so the parts of a stage sum to its time.
enum class StepPart : std::uint8_t {
  Attention,    ///< Projections and attention cores.
  FeedForward,  ///< Dense blocks, shared experts, router.
  Experts,      ///< Routed experts.
  Dispatch,
  Combine,
  AllReduce,  ///< Tensor-parallel collectives.
  Waiting,    ///< For the slowest rank of the group.
  Head,       ///< Embedding, head, sampling.
  Overhead,   ///< The engine's host time.
  Migration,  ///< Experts on their way to new ranks.
  Swap,       ///< KV blocks on their way to the host or back.
};
inline constexpr std::size_t kStepParts = 11;

/// What holds an operator or a transfer back.
enum class Limit : std::uint8_t {
  Compute,   ///< Arithmetic of the GPU.
  Memory,    ///< Bandwidth of its memory.
  Launch,    ///< Fixed costs of kernels.
  ScaleUp,   ///< Links inside a scale-up domain.
  ScaleOut,  ///< NICs and the switches between nodes.
  Latency,   ///< Of messages, whatever their size.
  HostLink,  ///< Between a GPU and its host.
};
inline constexpr std::size_t kLimits = 7;

/// A time by what limits it.
struct LimitedTime {
  std::array<Seconds, kLimits> by{};
  [[nodiscard]] Seconds& operator[](Limit l) { return by[static_cast<std::size_t>(l)]; }
  [[nodiscard]] Seconds operator[](Limit l) const { return by[static_cast<std::size_t>(l)]; }
  [[nodiscard]] Seconds sum() const {
    Seconds all;
    for (const Seconds s : by) all += s;
    return all;
  }
  void add(const operators::OperatorTime& t) { (*this)[limit_of(t.bound)] += t.time; }
  void add(double times, const LimitedTime& other) {
    for (std::size_t i = 0; i < kLimits; ++i) by[i] += times * other.by[i];
  }
  [[nodiscard]] static Limit limit_of(operators::Bound bound) {
    switch (bound) {
      case operators::Bound::Compute:
        return Limit::Compute;
      case operators::Bound::Memory:
        return Limit::Memory;
      case operators::Bound::Launch:
        break;
    }
    return Limit::Launch;
  }
};

struct StepTime {
  Seconds total;
  std::array<Seconds, kStepParts> parts{};
  /// The same by limit; parts that nothing physical limits (waiting, overhead) have none.
  std::array<LimitedTime, kStepParts> limits{};
  /// Dispatch and combine that ran while their ranks computed: no part of `total`.
  LimitedTime hidden;
  bool split = false;  ///< Run as two micro-batches.
  [[nodiscard]] Seconds& operator[](StepPart p) { return parts[static_cast<std::size_t>(p)]; }
  [[nodiscard]] Seconds operator[](StepPart p) const { return parts[static_cast<std::size_t>(p)]; }
  void add(StepPart p, double times, const LimitedTime& time) {
    const auto i = static_cast<std::size_t>(p);
    limits[i].add(times, time);
    parts[i] += times * time.sum();
  }
};

}  // namespace moesim::serving
