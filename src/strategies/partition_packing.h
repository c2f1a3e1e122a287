// Slots of one node onto its GPUs, so that no GPU carries more than asked.
//
// Loads are in units of what a GPU may carry in each workload: a GPU is full at 1 in the fullest
// workload. One slot a GPU: nothing to choose. Two: the sorted ends together, which no pairing
// beats (one workload). Else: heaviest first into the lightest GPU with room, then exchanges with
// the fullest GPU. Never an expert twice on a GPU. Layer: strategies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace moesim::strategies {

class Packer {
 public:
  Packer(std::size_t slots_per_gpu, std::size_t workloads)
      : room_(slots_per_gpu), workloads_(workloads) {}

  /// Packs slots of `expert` [slots], loads `share` [expert * workloads], onto slots /
  /// slots_per_gpu GPUs. True if no GPU exceeds `full`. Afterwards gpu_of() holds the GPU of each
  /// slot. Precondition: no expert more often than there are GPUs.
  bool pack(std::span<const std::int32_t> expert, std::span<const double> share, double full = 1.0);
  [[nodiscard]] std::span<const std::size_t> gpu_of() const { return gpu_; }
  [[nodiscard]] std::span<const std::size_t> slots_of(std::size_t gpu) const {
    return std::span(slots_).subspan(gpu * room_, room_);
  }
  /// Load of the fullest GPU after the last pack().
  [[nodiscard]] double fullest() const { return fullest_; }

 private:
  [[nodiscard]] const double* share_of(std::size_t slot) const {
    return &share_[static_cast<std::size_t>(expert_[slot]) * workloads_];
  }
  void pair_ends();
  void fill();
  bool exchange(double full);
  [[nodiscard]] bool holds(std::size_t gpu, std::int32_t expert) const;
  [[nodiscard]] double level(std::size_t gpu) const;
  void put(std::size_t slot, std::size_t gpu);
  void sort_slots();

  std::size_t room_;
  std::size_t workloads_;
  std::span<const std::int32_t> expert_;
  std::span<const double> share_;
  std::vector<std::size_t> gpu_;
  std::vector<std::size_t> order_;
  std::vector<double> key_;
  std::vector<std::size_t> slots_;  ///< [gpu * room + i]
  std::vector<std::size_t> used_;   ///< [gpu]
  std::vector<double> load_;        ///< [gpu * workloads]
  double fullest_ = 0.0;
};

}  // namespace moesim::strategies
