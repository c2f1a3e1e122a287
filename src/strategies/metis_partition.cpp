#include "strategies/metis_partition.h"

#include <metis.h>

#include <mutex>

#include "core/check.h"

namespace moesim::strategies {

std::vector<std::int32_t> metis_partition(const WeightedGraph& graph, std::span<const double> size,
                                          double tolerance, std::uint64_t seed) {
  constexpr std::size_t kWeights = 2;  // Of a vertex: one slot, and its load.
  auto vertices = static_cast<idx_t>(graph.load.size());
  auto parts = static_cast<idx_t>(size.size());
  auto weights = static_cast<idx_t>(kWeights);
  std::vector<idx_t> first(graph.first.begin(), graph.first.end());
  std::vector<idx_t> end(graph.end.begin(), graph.end.end());
  std::vector<idx_t> edge_weight(graph.weight.begin(), graph.weight.end());
  std::vector<idx_t> vertex_weight;
  for (const std::int32_t load : graph.load) {
    vertex_weight.push_back(1);
    vertex_weight.push_back(load);
  }
  std::vector<real_t> aim;
  for (const double s : size) aim.insert(aim.end(), kWeights, static_cast<real_t>(s));
  std::vector<real_t> tolerances(kWeights, static_cast<real_t>(1.0 + tolerance));
  std::vector<idx_t> options(METIS_NOPTIONS);
  METIS_SetDefaultOptions(options.data());
  options[METIS_OPTION_SEED] = static_cast<idx_t>(seed & 0x7fffffffU);
  options[METIS_OPTION_NUMBERING] = 0;
  std::vector<idx_t> part(graph.load.size(), 0);
  idx_t cut = 0;
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  const int status = METIS_PartGraphKway(
      &vertices, &weights, first.data(), end.data(), vertex_weight.data(), nullptr,
      edge_weight.data(), &parts, aim.data(), tolerances.data(), options.data(), &cut, part.data());
  MOESIM_CHECK(status == METIS_OK, "METIS refused a graph");
  return {part.begin(), part.end()};
}

}  // namespace moesim::strategies
