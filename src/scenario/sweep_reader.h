// Reads a sweep: a base scenario and the axes to vary.
//
// Layer: scenario.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"
#include "scenario/scenario.h"
#include "scenario/scenario_reader.h"

namespace moesim::scenario {

/// A field of the scenario and the values it takes.
struct SweepAxis {
  std::string field;  ///< As for --set: "deployment.precision".
  std::vector<std::string> values;
};

enum class Objective {
  UsdPerMillionOutputTokens,  ///< The whole bill over the output tokens, lowest first.
  UsdPerMonth,                ///< Lowest first.
  OutputTokensPerS,           ///< Highest first.
  GoodputRequestsPerS,        ///< Highest first.
};

/// "usd_per_million_output_tokens": the field of the schema in lower case.
[[nodiscard]] std::string to_string(Objective objective);

struct Sweep {
  std::string name;
  std::string description;
  std::string base_text;   ///< The scenario every candidate starts from, as written.
  TextOrigin base_origin;  ///< With base_text and overrides: read_scenario_text gives a candidate.
  /// The base scenario itself, read and checked (its layout as written).
  Scenario base;
  // Values to try, ascending, no doubles; empty: every value that divides.
  std::vector<std::int64_t> tp;
  std::vector<std::int64_t> pp;
  std::vector<std::int64_t> dp;
  std::vector<std::int64_t> ep;
  std::vector<std::int64_t> replicas;  ///< Empty: as many instances as the cluster holds.
  std::vector<SweepAxis> vary;
  serving::SloLimits slo;  ///< Of the sweep, else of the base scenario.
  Objective objective = Objective::UsdPerMillionOutputTokens;
  std::int64_t max_candidates = 10'000;
  double min_slo_attainment = 0.9;
  std::int64_t max_requests = 0;  ///< 0: as the scenario says.
};

/// Throws InputError with every mistake of the sweep and of its base scenario, IoError.
[[nodiscard]] Sweep read_sweep_file(const std::string& path,
                                    const std::vector<std::string>& overrides,
                                    const catalog::Catalog& catalog);
[[nodiscard]] Sweep read_sweep_text(std::string_view text, const TextOrigin& origin,
                                    const std::vector<std::string>& overrides,
                                    const catalog::Catalog& catalog);

}  // namespace moesim::scenario
