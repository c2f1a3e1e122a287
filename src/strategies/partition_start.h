// What the search starts from: replicas and a balanced plan of one layer, and what a GPU may carry.
//
// One workload: the published balancer's plan (eplb.h), its fullest GPU is the cap. Several: the
// better of that plan for the planned load and of a vector packing: each spare slot to the expert
// whose load per replica is largest in any workload; the slots, heaviest first, to the GPU that is
// least full in its fullest workload; then exchanges with the fullest GPU. Source of the vector
// packing rule: Panigrahy et al., "Heuristics for vector bin packing", 2011. Layer: strategies.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "placement/problem.h"

namespace moesim::strategies {

struct StartPlan {
  std::size_t workloads = 1;
  std::vector<double> load;         ///< [experts * workloads] a GPU's mean is 1 in each workload.
  std::vector<std::int32_t> slots;  ///< In order of ranks; no expert twice on one.
  std::vector<double> cap;          ///< [workloads] load of a GPU that balance allows.
};

/// `planned`: planned_load(problem) of the layer, [experts].
[[nodiscard]] StartPlan start_plan(const placement::Problem& problem, std::int64_t layer,
                                   std::span<const double> planned);

/// Load of the fullest GPU in each workload. `load`: [experts * workloads].
[[nodiscard]] std::vector<double> fullest_gpu(std::span<const std::int32_t> slots,
                                              std::span<const double> load, std::size_t workloads,
                                              std::size_t slots_per_gpu);

}  // namespace moesim::strategies
