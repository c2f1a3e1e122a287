// Group-limited choice of the top_k best of noisy scores, as a race: the vector kernels of
// affinity_model.cpp.
//
// Model:  U_e = b_e + Gumbel is -ln of an exponential time of rate exp(b_e): the best scores are
// the
//         first arrivals. A group's sum of two best scores is -ln of the product of its two first
//         times. Times are in units of 1 / ln 2; only their order matters.
// Noise:  -log2 of an odd multiple of 2^-24 (23 random bits), by a polynomial of relative error
//         1.3e-6; times below 8.6e-8 do not occur. Four xoshiro128+ side by side (Blackman, Vigna,
//         2018). SSE2 and IEEE arithmetic alone: the same bits on every x86-64 machine.
// Layer:  routing.
#pragma once

#include <emmintrin.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "routing/expert_router.h"

namespace moesim::routing {

/// Places of a layer's experts in vectors of four: each group begins a new vector.
struct RaceLayout {
  explicit RaceLayout(const RoutingShape& shape);
  std::size_t experts;
  std::size_t top_k;
  std::size_t groups;
  std::size_t top_groups;
  std::size_t size;    ///< Experts of a group.
  std::size_t stride;  ///< Places of a group, a multiple of 4.
  std::size_t places;  ///< Of a layer.
  /// Blocks whose two first arrivals bound the choice: the groups, or pieces of the one group.
  std::size_t blocks;
  std::size_t block_stride;
  [[nodiscard]] std::size_t place(std::size_t expert) const {
    return expert / size * stride + expert % size;
  }
};

/// Exponential times of mean 1 (in units of 1 / ln 2) divided by rates.
class ArrivalNoise {
 public:
  explicit ArrivalNoise(RandomStream stream);
  /// times[p] = noise * one[p] * other[p]; factors are 1 / rate, infinite where nobody stands.
  /// `places` is a multiple of 4.
  void times(const float* one, const float* other, std::size_t places, float* times);

 private:
  __m128i state_[4];
};

/// Most groups and blocks a layer is raced in.
inline constexpr std::size_t kMaxBlocks = kMaxExperts;

/// First two arrivals of each block.
struct FirstTwo {
  std::array<float, kMaxBlocks> first;
  std::array<float, kMaxBlocks> second;
};

/// out[p] = times[p] * factor[p].
void scale_times(const float* times, const float* factor, std::size_t places, float* out);

/// Chooses the top_k experts of a token from arrival times, ascending.
class ExpertRace {
 public:
  explicit ExpertRace(const RaceLayout& layout);
  void choose(const float* times, std::uint16_t* chosen);
  /// Places that can be among the chosen if every score changes by at most `margin` either way.
  /// Ascending; appended to `places`.
  void possible(const float* times, float margin, std::vector<std::uint16_t>& places);
  /// The choice among given places (ascending) with their times. If the places are those of
  /// `possible` and the times within its margin, the choice is the one among all.
  void choose_among(std::span<const std::uint16_t> places, const float* times,
                    std::uint16_t* chosen);

 private:
  void find_first_two(const float* times);
  /// Marks the top_groups groups with the least product of first two; returns the last product.
  float keep_groups(std::size_t groups);
  /// A time that at least top_k of the kept arrive by.
  float bound();
  void collect(const float* times, std::size_t begin, std::size_t end, float latest);
  void finish(std::uint16_t* chosen);

  RaceLayout layout_;
  std::vector<std::uint16_t> expert_of_place_;
  std::vector<std::uint16_t> group_of_place_;
  FirstTwo two_;
  std::array<float, kMaxBlocks + 3> product_;
  std::array<std::uint16_t, kMaxExperts + 1> kept_;  ///< Groups, then arrivals.
  std::array<std::uint16_t, kMaxExperts> place_;
  std::array<float, kMaxExperts + 3> time_;
  std::size_t found_ = 0;
  std::vector<float> both_;  ///< Scratch of bound: first two of all blocks.
};

}  // namespace moesim::routing
