// Runs one checked scenario: memory first, then the simulation, then the bill.
//
// Layer: sweep.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/prediction_error.h"
#include "cost/energy.h"
#include "cost/pricing.h"
#include "plan/memory.h"
#include "scenario/scenario.h"
#include "serving/run_result.h"
#include "serving/simulation.h"

namespace moesim::sweep {

/// Figures of the deployment that need no simulation, and three that follow from the run.
struct DeploymentFacts {
  std::string model, precision, gpu, layout, engine, workload;
  double total_parameters = 0;
  double active_parameters = 0;
  std::int64_t gpus = 0;
  std::int64_t nodes = 0;
  double flops_per_token = 0;           ///< 2 * active parameters + attention at the mean context.
  double bytes_per_token_at_batch = 0;  ///< Weights and cache an instance reads per output token.
  double mean_batch_tokens = 0;         ///< Of an iteration, all ranks of an instance.
  double node_copies_per_token = 0;  ///< Scale-up domains besides its own that a token goes to in a
                                     ///< MoE layer, mean; 0 for a dense model.
};

/// What errors on published measurements say of a figure.
struct PredictionBand {
  catalog::Figure figure = catalog::Figure::Throughput;
  catalog::Likely likely;
  std::optional<double> coverage;  ///< Reached on families of measurements left out.
};

struct ScenarioResult {
  std::string name;
  std::string description;
  bool fits = true;  ///< False: only `memory`, `facts` and `notes` are filled.
  DeploymentFacts facts;
  plan::MemoryReport memory;
  serving::RunResult run;
  cost::Pricing pricing;
  cost::Bill bill;
  std::vector<double> pool_usd_per_month;  ///< Of pools, as `run.pools`.
  cost::Energy energy;
  std::vector<PredictionBand> bands;  ///< Empty unless prediction_bands() has filled it.
  std::string scenario_text;          ///< Resolved scenario, text format.
  std::vector<std::string> notes;
};

/// Throws InputError if the deployment asks for what is not modelled. `plans`: shared by runs that
/// may want the same placement.
[[nodiscard]] ScenarioResult run_scenario(const scenario::Scenario& scenario,
                                          const serving::ProgressCallback& progress = {},
                                          serving::ExpertPlanStore* plans = nullptr);

}  // namespace moesim::sweep
