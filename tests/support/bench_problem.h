// The placement benchmark's workloads, golden placements and regular ones as the judge and the
// strategies take them. Tests skip visibly where the benchmark is absent.
#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "placement/problem.h"
#include "tests/support/placement_bench.h"

namespace moesim::test {

inline constexpr std::int64_t kBenchLayers = 58;

inline bool has_placement_bench() { return !bench_workload_names().empty(); }

inline placement::PlacementShape bench_shape(std::int64_t ranks, std::int64_t slots,
                                             std::int64_t ranks_per_node = 8) {
  placement::PlacementShape shape{.moe_layers = kBenchLayers,
                                  .experts = kBenchExperts,
                                  .ranks = ranks,
                                  .slots_per_rank = slots / ranks,
                                  .expert_groups = 8,
                                  .domain_of_rank = {}};
  for (std::int64_t r = 0; r < ranks; ++r) {
    shape.domain_of_rank.push_back(static_cast<std::int32_t>(r / ranks_per_node));
  }
  return shape;
}

/// `part`: "train" (what a planner may use) or "eval" (what arrives later).
inline placement::Workload bench_workload(const std::string& name, const std::string& part) {
  placement::Workload workload{.name = name + " " + part, .load = {}};
  std::ifstream loads(placement_bench_directory() + "/" + name + "/load_" + part + ".csv");
  for (std::string line; std::getline(loads, line);) {
    for (char& c : line) c = c == ',' ? ' ' : c;
    std::istringstream words(line);
    for (double x = 0; words >> x;) workload.load.push_back(x);
  }
  const BenchWorkload tokens = read_bench_workload(name, "trace_" + part);
  workload.tokens = {.experts = kBenchExperts,
                     .top_k = kBenchTopK,
                     .layer = tokens.trace_layers,
                     .request = tokens.request,
                     .expert = {}};
  for (const std::vector<std::uint8_t>& layer : tokens.experts) {
    workload.tokens.expert.insert(workload.tokens.expert.end(), layer.begin(), layer.end());
  }
  return workload;
}

/// The tokens and loads of the traced layers alone, renumbered from 0.
inline placement::Workload traced_layers_only(const placement::Workload& whole) {
  placement::Workload part{
      .name = whole.name, .weight = whole.weight, .load = {}, .tokens = whole.tokens};
  for (std::size_t row = 0; row < whole.tokens.layer.size(); ++row) {
    const auto at = whole.load.begin() + whole.tokens.layer[row] * kBenchExperts;
    part.load.insert(part.load.end(), at, at + kBenchExperts);
    part.tokens.layer[row] = static_cast<std::int32_t>(row);
  }
  return part;
}

inline placement::Problem bench_problem(const placement::PlacementShape& shape,
                                        placement::Workload workload) {
  return {.shape = shape,
          .routing = {.moe_layers = shape.moe_layers,
                      .experts = shape.experts,
                      .top_k = kBenchTopK,
                      .groups = 8,
                      .top_groups = 4},
          .workloads = {std::move(workload)}};
}

/// A file of golden_eplb/: the published balancer's own output.
inline placement::Placement golden_placement(const std::string& file,
                                             const placement::PlacementShape& shape) {
  placement::Placement placement{.shape = shape, .expert_of_slot = {}, .strategy = "golden"};
  std::string text = file_text(placement_bench_directory() + "/golden_eplb/" + file);
  text.erase(0, text.find("[["));
  text.erase(std::min(text.find("]]"), text.size()));
  for (char& c : text) c = c >= '0' && c <= '9' ? c : ' ';
  std::istringstream words(text);
  for (std::int32_t e = 0; words >> e;) placement.expert_of_slot.push_back(e);
  return placement;
}

/// Slot s of layer l holds expert (37 s + 11 l) mod 256: every expert, far from any balance.
inline placement::Placement strided_placement(const placement::PlacementShape& shape) {
  placement::Placement placement{.shape = shape, .expert_of_slot = {}, .strategy = "strided"};
  for (std::int64_t l = 0; l < shape.moe_layers; ++l) {
    for (std::int64_t s = 0; s < shape.slots(); ++s) {
      placement.expert_of_slot.push_back(static_cast<std::int32_t>((37 * s + 11 * l) % 256));
    }
  }
  return placement;
}

}  // namespace moesim::test
