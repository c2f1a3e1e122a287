// Runs the scenarios of rows, each scenario once.
//
// Layer: validation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "catalog/catalog.h"
#include "catalog/prediction_error.h"
#include "sweep/parallel_runs.h"
#include "validation/row_metric.h"
#include "validation/row_scenario.h"

namespace moesim::validation {

/// What a row wants to know of a scenario.
struct Question {
  RowScenario plan;
  Metric metric;
};

struct Answer {
  std::optional<double> value;
  catalog::Situation situation{};  ///< Where there is a value.
  std::string refusal;             ///< Why there is no value.
};

/// Answers in the order of the questions. What cannot be simulated is a refusal, never a throw.
struct Answers {
  std::vector<Answer> answers;
  std::int64_t runs = 0;
};
[[nodiscard]] Answers ask(const std::vector<Question>& questions, const catalog::Catalog& catalog,
                          int jobs, const sweep::CountProgress& progress = {});

}  // namespace moesim::validation
