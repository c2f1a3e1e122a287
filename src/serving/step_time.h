// Where the time of an iteration goes.
//
// Layer: serving.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/units.h"

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
};
inline constexpr std::size_t kStepParts = 9;

struct StepTime {
  Seconds total;
  std::array<Seconds, kStepParts> parts{};
  [[nodiscard]] Seconds& operator[](StepPart p) { return parts[static_cast<std::size_t>(p)]; }
  [[nodiscard]] Seconds operator[](StepPart p) const { return parts[static_cast<std::size_t>(p)]; }
};

}  // namespace moesim::serving
