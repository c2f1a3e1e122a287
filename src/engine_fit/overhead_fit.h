// Constants of engines from published serving runs, and how far they lead on unseen deployments.
//
// Predicted: TPOT and TTFT are linear in the constants, given what a closed loop computes per token
// and before a first token (engine_fit/closed_loop.h); TTFT is the mean over a benchmark of ten
// requests per user: a tenth meets the first rush, the rest the steady state.
// Fit: calibration::robust_fit on ln(predicted / measured) of both, TTFT at kTtftWeight, beside
// what is expected of any engine, which holds constants back that few models tell. Folds: whole
// deployments left out, five folds. Layer: engine_fit.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "catalog/engine_overhead.h"
#include "engine_fit/benchmark_run.h"
#include "engine_fit/closed_loop.h"

namespace moesim::engine_fit {

/// One run with what its loop computes.
struct FitRow {
  const BenchmarkRun* run = nullptr;
  std::string architecture;
  WorkSum tpot{};
  WorkSum ttft{};
  double layers = 0;
};

/// What the loops of all runs compute, deployments in parallel; runs that cannot be simulated are
/// added to `left_out`. DeepSeek and GLM runs faster than their kernels are left out: they draft
/// tokens, which the table does not say.
[[nodiscard]] std::vector<FitRow> replay_runs(std::span<const BenchmarkRun> runs,
                                              const catalog::Catalog& catalog,
                                              std::vector<LeftOut>& left_out);

/// Prediction for a row whose deployment was not in the fit.
struct Prediction {
  const FitRow* row = nullptr;
  double ttft = 0;
  double tpot = 0;
  [[nodiscard]] double throughput() const;
  [[nodiscard]] double measured_throughput() const;
};

struct OverheadFit {
  std::vector<catalog::EngineOverhead> overheads;  ///< By engine, then architecture ("" last).
  std::vector<Prediction> left_out;                ///< Of every row.
};

[[nodiscard]] OverheadFit fit_overheads(std::span<const FitRow> rows, const std::string& source);

}  // namespace moesim::engine_fit
