// A published row as a scenario, by rules that hold for every row alike.
//
// Rules:  docs/models/accuracy.md tells each of them. Names become catalog names (row_names.h);
//         lengths are fixed at their means; what the row leaves open keeps the default of the
//         engine; settings that stand in the notes by the engines' own names are used. No rule
//         names a row, and none holds a number that was chosen for one.
// Layer:  validation.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "catalog/catalog.h"
#include "scenario/published_row.h"

namespace moesim::validation {

/// How the requests come, which decides what is counted.
enum class Load {
  Offline,      ///< All are there at the start; everything counts.
  Closed,       ///< So many in flight; the first and the last round do not count.
  Open,         ///< At a rate, as many as the source says; everything counts.
  Steady,       ///< At a rate for a time; what arrives in the warm-up does not count.
  DecodeRound,  ///< One round of so many in flight; counted is the median gap between tokens.
  Recorded,     ///< Arrivals and lengths of the run itself; everything counts.
};

struct RowScenario {
  std::string text;  ///< A scenario file. Rows with the same text share a run.
  Load load = Load::Offline;
  std::int64_t concurrency = 0;      ///< Of a closed loop.
  double warm_up_s = 0;              ///< Of a Steady load.
  double gpus = 1;                   ///< By which figures per GPU are divided.
  std::vector<std::string> assumed;  ///< What the row leaves open and how it was filled.
};

/// Why a row is not simulated.
struct LeftOut {
  std::string reason;
};

using RowPlan = std::variant<RowScenario, LeftOut>;

/// `all`: datasets and recordings that fill what the row does not state.
[[nodiscard]] RowPlan plan_row(const scenario::PublishedRow& row,
                               const scenario::PublishedRows& all, const catalog::Catalog& catalog);

}  // namespace moesim::validation
