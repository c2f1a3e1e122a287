// The figure of a run that a published metric names.
//
// Names: output_throughput, input_throughput, throughput, with _per_gpu or _per_node (8 GPUs);
//        ttft, tpot, itl, e2e with _mean, _median or _pNN (without: the mean); slo_attainment with
//        the limits of the notes.
// Layer: validation.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "catalog/prediction_error.h"
#include "scenario/published_row.h"
#include "sweep/run_scenario.h"
#include "validation/row_scenario.h"

namespace moesim::validation {

enum class Quantity { OutputRate, InputRate, TotalRate, Ttft, Tpot, Itl, EndToEnd, SloMet };
enum class Statistic { Mean, Percentile };

struct Metric {
  Quantity quantity = Quantity::OutputRate;
  enum class Per { System, Gpu, Node } per = Per::System;
  Statistic statistic = Statistic::Mean;
  double percent = 50;
  double scale = 1;          ///< Published units in one SI unit: 1000 for ms.
  double ttft_limit_ms = 0;  ///< Of SloMet.
  double itl_limit_ms = 0;
};

/// Nothing for a name that is not known. `rows`: where the objective is looked for if the row's own
/// note lacks it, as a table states it once.
[[nodiscard]] std::optional<Metric> metric_of(const scenario::PublishedRow& row,
                                              const std::vector<scenario::PublishedRow>& rows = {});

/// Of a mean or a median; nothing for tails and for what has no interval.
[[nodiscard]] std::optional<catalog::Figure> figure_of(const Metric& metric);

/// In the unit of the row. Nothing if the run has no such figure.
[[nodiscard]] std::optional<double> metric_value(const Metric& metric,
                                                 const sweep::ScenarioResult& result,
                                                 const RowScenario& plan);

}  // namespace moesim::validation
