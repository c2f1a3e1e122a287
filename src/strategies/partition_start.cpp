#include "strategies/partition_start.h"

#include <algorithm>
#include <numeric>

#include "strategies/eplb.h"
#include "strategies/partition_packing.h"

namespace moesim::strategies {
namespace {

using placement::Over;
using placement::PlacementShape;
using placement::Problem;

/// What several workloads' plan may carry above its start, so that the search can move.
constexpr double kVectorRoom = 1.02;

std::vector<double> loads_of(const Problem& problem, std::int64_t layer) {
  const auto experts = static_cast<std::size_t>(problem.shape.experts);
  const std::size_t workloads = problem.workloads.size();
  std::vector<double> load(experts * workloads);
  for (std::size_t k = 0; k < workloads; ++k) {
    const auto row = std::span(problem.workloads[k].load)
                         .subspan(static_cast<std::size_t>(layer) * experts, experts);
    const double mean =
        std::accumulate(row.begin(), row.end(), 0.0) / static_cast<double>(problem.shape.ranks);
    for (std::size_t e = 0; e < experts; ++e) load[e * workloads + k] = row[e] / mean;
  }
  return load;
}

/// Replicas of each expert, no more than there are GPUs.
std::vector<std::int32_t> replicas_for_all(std::span<const double> load, std::size_t workloads,
                                           std::size_t slots, std::size_t gpus) {
  const std::size_t experts = load.size() / workloads;
  std::vector<std::int32_t> expert(experts);
  std::iota(expert.begin(), expert.end(), 0);
  std::vector<double> hottest(experts, 0.0);
  for (std::size_t i = 0; i < load.size(); ++i) {
    hottest[i / workloads] = std::max(hottest[i / workloads], load[i]);
  }
  std::vector<double> count(experts, 1.0);
  const auto key = [&](std::size_t e) {
    return count[e] < static_cast<double>(gpus) ? hottest[e] / count[e] : -1.0;
  };
  while (expert.size() < slots) {
    std::size_t best = 0;
    for (std::size_t e = 1; e < experts; ++e) best = key(e) > key(best) ? e : best;
    expert.push_back(static_cast<std::int32_t>(best));
    count[best] += 1.0;
  }
  return expert;
}

void start_for_all(const Problem& problem, StartPlan& plan) {
  const PlacementShape& shape = problem.shape;
  const auto gpus = static_cast<std::size_t>(shape.ranks);
  const auto room = static_cast<std::size_t>(shape.slots_per_rank);
  const std::vector<std::int32_t> expert =
      replicas_for_all(plan.load, plan.workloads, gpus * room, gpus);
  std::vector<double> share = plan.load;
  std::vector<double> count(share.size() / plan.workloads, 0.0);
  for (const std::int32_t e : expert) count[static_cast<std::size_t>(e)] += 1.0;
  for (std::size_t i = 0; i < share.size(); ++i) share[i] /= count[i / plan.workloads];
  Packer packer(room, plan.workloads);
  packer.pack(expert, share, 1.0);
  plan.slots.resize(expert.size());
  for (std::size_t g = 0; g < gpus; ++g) {
    const auto slots = packer.slots_of(g);
    for (std::size_t i = 0; i < room; ++i) plan.slots[g * room + i] = expert[slots[i]];
  }
}

/// What the fullest GPUs of all workloads are worth.
double worth(const Problem& problem, std::span<const double> fullest) {
  if (problem.over == Over::Worst) return *std::max_element(fullest.begin(), fullest.end());
  double sum = 0.0;
  for (std::size_t k = 0; k < fullest.size(); ++k) {
    sum += problem.workloads[k].weight * fullest[k];
  }
  return sum;
}

}  // namespace

StartPlan start_plan(const Problem& problem, std::int64_t layer, std::span<const double> planned) {
  const PlacementShape& shape = problem.shape;
  const auto room = static_cast<std::size_t>(shape.slots_per_rank);
  StartPlan plan{.workloads = problem.workloads.size(),
                 .load = loads_of(problem, layer),
                 .slots = {},
                 .cap = {}};
  const EplbShape global{.slots = shape.slots(), .groups = 1, .nodes = 1, .ranks = shape.ranks};
  plan.slots = eplb_layer(planned, global);
  const std::vector<double> published = fullest_gpu(plan.slots, plan.load, plan.workloads, room);
  separate_replicas(plan.slots, planned, shape.slots_per_rank, shape.domain_of_rank);
  plan.cap = fullest_gpu(plan.slots, plan.load, plan.workloads, room);
  if (plan.workloads == 1) {
    plan.cap[0] = std::min(plan.cap[0], published[0]);
    return plan;
  }
  StartPlan packed = plan;
  start_for_all(problem, packed);
  packed.cap = fullest_gpu(packed.slots, packed.load, packed.workloads, room);
  if (worth(problem, packed.cap) <= worth(problem, plan.cap)) plan = std::move(packed);
  if (problem.over == Over::Worst) {
    const double worst = *std::max_element(plan.cap.begin(), plan.cap.end());
    std::fill(plan.cap.begin(), plan.cap.end(), worst);
  }
  for (double& cap : plan.cap) cap *= kVectorRoom;
  return plan;
}

std::vector<double> fullest_gpu(std::span<const std::int32_t> slots, std::span<const double> load,
                                std::size_t workloads, std::size_t slots_per_gpu) {
  std::vector<double> replicas(load.size() / workloads, 0.0);
  for (const std::int32_t e : slots) replicas[static_cast<std::size_t>(e)] += 1.0;
  std::vector<double> most(workloads, 0.0);
  for (std::size_t g = 0; g < slots.size(); g += slots_per_gpu) {
    for (std::size_t k = 0; k < workloads; ++k) {
      double sum = 0.0;
      for (std::size_t s = g; s < g + slots_per_gpu; ++s) {
        const auto e = static_cast<std::size_t>(slots[s]);
        sum += load[e * workloads + k] / replicas[e];
      }
      most[k] = std::max(most[k], sum);
    }
  }
  return most;
}

}  // namespace moesim::strategies
