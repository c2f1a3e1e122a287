#include "sweep/prediction_bands.h"

namespace moesim::sweep {

catalog::Situation situation_of(const scenario::Scenario& s) {
  const serving::Deployment& d = s.deployment;
  std::int64_t together = d.layout.gpus_per_instance();
  if (!s.pools.empty()) {
    together = 0;
    for (const serving::Deployment& pool : s.pools) together += pool.layout.gpus();
  }
  return {.engine = d.engine.name,
          .architecture = d.cluster.gpu.architecture,
          .moe = d.model.is_moe(),
          .many_nodes = together > d.cluster.gpus_per_node};
}

std::vector<PredictionBand> prediction_bands(const scenario::Scenario& scenario,
                                             const catalog::Catalog& catalog) {
  using catalog::Figure;
  const catalog::Situation situation = situation_of(scenario);
  std::vector<PredictionBand> bands;
  for (const Figure figure : {Figure::Throughput, Figure::Ttft, Figure::Tpot}) {
    // The rows measure what a deployment can do; at a given rate it does what is asked of it.
    if (figure == Figure::Throughput && scenario.workload.concurrency == 0) continue;
    const auto likely =
        catalog::likely_ratio(catalog.scored_figures, catalog.engine_overheads, figure, situation);
    if (!likely) continue;
    bands.push_back(
        {.figure = figure,
         .likely = *likely,
         .coverage = catalog::coverage(catalog.scored_figures, catalog.engine_overheads, figure)});
  }
  return bands;
}

}  // namespace moesim::sweep
