// What an engine adds to the kernels of an iteration, and to a request before it is scheduled.
//
// Model:   iteration = stretch * kernels + iteration + layers * per_layer
//                      + sequences * per_sequence + (prompts in it ? layers * prompt_layer : 0);
//          a request waits an exponential time of mean per_request before it can be scheduled.
//          `kernels`: sum of the priced operators; `sequences`: those of the fullest attention
//          rank.
// Source:  fitted to published serving runs, one set per engine and GPU architecture:
//          scenarios/catalog/engine_overheads.txtpb; docs/models/engine_overheads.md.
// Omits:   versions of an engine, options of its launch, the host it runs on.
// Layer:   catalog.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalog/curve.h"
#include "core/units.h"

namespace moesim::catalog {

struct EngineOverhead {
  std::string engine;            ///< Of the catalog.
  std::string architecture;      ///< GPUs whose architecture begins so ("Blackwell"); empty: any.
  double stretch = 1.0;          ///< Kernels in an engine over kernels measured one by one.
  Seconds iteration;             ///< Each iteration.
  Seconds per_layer;             ///< Each layer of an iteration: gaps and small kernels.
  Seconds per_sequence;          ///< Each sequence of the fullest rank.
  Seconds prompt_layer;          ///< Each layer where prompt tokens pass: no captured graph.
  Seconds per_request;           ///< Before a request can be scheduled: HTTP, tokenising, queues.
  std::int64_t rows = 0;         ///< Runs it was fitted to, ...
  std::int64_t deployments = 0;  ///< ... and deployments these are of.
  /// Errors on deployments left out of the fit.
  ErrorBand ttft{};
  ErrorBand tpot{};
  ErrorBand throughput{};
  std::string source;
};

/// The entry of that engine for GPUs of this architecture, else its entry for any; null: neither.
[[nodiscard]] const EngineOverhead* find_overhead(const std::vector<EngineOverhead>& overheads,
                                                  const std::string& engine,
                                                  const std::string& architecture);

}  // namespace moesim::catalog
