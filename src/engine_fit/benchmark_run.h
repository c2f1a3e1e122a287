// Points of published serving benchmarks, and the scenario that stands for each.
//
// A point is a closed loop: `concurrency` requests in flight, each of about `input_tokens` in and
// `output_tokens` out, served by one engine that prefills and decodes; measured are TTFT and TPOT.
// Table: docs/formats/measurements.md, "Serving runs".
// Layer: engine_fit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "calibration/csv_table.h"

namespace moesim::engine_fit {

struct BenchmarkRun {
  std::string id{};
  std::string engine{};     ///< As the catalog names it.
  std::string version{};    ///< May be empty.
  std::string model{};      ///< As published.
  std::string gpu{};        ///< As the catalog names it.
  std::string precision{};  ///< As the catalog names it.
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t concurrency = 0;
  std::int64_t tp = 1;
  std::int64_t dp = 1;
  std::int64_t ep = 1;
  bool repaired = false;
  double ttft = 0;  ///< Seconds.
  double tpot = 0;  ///< Seconds.
  int line = 0;     ///< Of the table.
  /// Engine, model, GPU, precision and layout: rows of one deployment never stand on both sides of
  /// a fold.
  [[nodiscard]] std::string deployment() const;
};

/// A row that cannot be used, and why.
struct LeftOut {
  std::string id{};
  std::string reason;
};

struct BenchmarkTable {
  std::vector<BenchmarkRun> runs;
  std::vector<LeftOut> left_out;
};

/// Rows of engines that prefill and decode in one pool. Throws InputError for what is no table of
/// runs.
[[nodiscard]] BenchmarkTable read_benchmark_runs(const calibration::CsvTable& table);

/// The scenario of a run: text format.
[[nodiscard]] std::string scenario_text(const BenchmarkRun& run);

}  // namespace moesim::engine_fit
