// The same demand served by several deployments, under one seed or several.
//
// Replications: every scenario runs under the same seeds (common random numbers): seed 0 is its
// own, the others follow from it. Nothing but the seed differs between the replications of a
// scenario, so what varies between them is what the seed draws: expert popularity, routed tokens,
// and arrivals and lengths that come from a model. Differences of two scenarios are taken seed by
// seed. Source: Law, Kelton, "Simulation Modeling and Analysis", 3rd ed., 2000, 10.2.1 (paired-t)
// and
//         11.2 (common random numbers).
// Layer:  sweep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "scenario/scenario.h"
#include "scenario/sweep_reader.h"
#include "sweep/parallel_runs.h"
#include "sweep/run_scenario.h"
#include "sweep/sweep_result.h"

namespace moesim::sweep {

struct Comparison {
  std::vector<ScenarioResult>
      results;  ///< In the order of the scenarios; a name given twice gets "(2)".
  std::vector<std::string> notes = {};  ///< Why the comparison is not fair, if it is not.
  /// [scenario][replication]; [i][0] is results[i]. Without what is large: requests, timeline,
  /// links, text. Empty: one replication.
  std::vector<std::vector<ScenarioResult>> replications = {};
  std::vector<std::uint64_t> seeds = {};         ///< [replication] of the first scenario.
  std::vector<scenario::SweepAxis> varied = {};  ///< Fields of one scenario; empty: several files.
  std::vector<std::vector<Setting>> settings = {};  ///< [scenario] of the varied fields.
};

/// Scenario number `scenario` as it reads with another seed. Called from several threads.
using Reseed = std::function<scenario::Scenario(std::size_t scenario, std::uint64_t seed)>;

/// How often each scenario runs.
struct Replications {
  std::int64_t count = 1;
  Reseed reseed = {};  ///< Needed for count > 1.
};

/// Seed of a replication: `seed` itself for number 0. 53 bits, which every reader of JSON keeps.
[[nodiscard]] std::uint64_t replication_seed(std::uint64_t seed, std::int64_t number);

/// Runs all scenarios on `jobs` threads (0: all cores). One that does not fit is a result as well.
/// Precondition: at least one scenario, one replication. Throws InputError.
[[nodiscard]] Comparison compare_scenarios(std::vector<scenario::Scenario> scenarios, int jobs,
                                           const CountProgress& progress = {},
                                           const Replications& replications = {});

}  // namespace moesim::sweep
