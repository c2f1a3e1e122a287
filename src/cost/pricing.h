// Dollars per month and per million tokens of a deployment.
//
// Model and sources: docs/models/cost.md. A month is 730 h unless set; it is printed.
// Layer: cost.
#pragma once

#include <string>

#include "core/units.h"

namespace moesim::cost {

struct Pricing {
  bool known = true;         ///< False: no price was set and none is in the catalog.
  DollarsPerSecond per_gpu;  ///< Rent of one GPU.
  double hours_per_month = 730.0;
  double usd_per_kwh = 0;  ///< Of electricity; 0: not set and not in the catalog.
  std::string
      provider;  ///< Where the price comes from: provider, term, date; or "set in the scenario".
  std::string term;
  std::string date;
  std::string source;
};

/// What a run of `gpus` costs for the tokens it served. Input and output tokens share the bill by
/// GPU time: `input_share` is the part of the busy time that prefill took.
struct Bill {
  double usd_per_hour = 0;
  double usd_per_month = 0;
  double usd_per_million_input_tokens = 0;
  double usd_per_million_output_tokens = 0;
  /// All of the bill on output tokens, the convention of most comparisons.
  double usd_per_million_output_tokens_all_in = 0;
};

[[nodiscard]] Bill bill(const Pricing& pricing, double gpus, double input_tokens_per_s,
                        double output_tokens_per_s, double input_share);

}  // namespace moesim::cost
