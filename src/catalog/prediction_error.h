// Where a measurement is likely to lie, by how far predictions have lain from published ones.
//
// Model:   measured / predicted of a new deployment is spread as in the closest group of scored
//          rows. Its 10th and 90th percentile bound 80 %. Every family of rows (one publication's)
//          weighs the same, for rows of one family err alike. Where the engine's overhead was
//          fitted to serving runs, the interval also holds the errors of that fit on deployments
//          left out.
// Groups:  of the same figure, the first with enough rows of enough families:
//          engine, kind of model and extent; engine and kind; kind and extent; kind; all.
// Rate:    coverage() leaves out each family in turn and counts how many of its rows lie inside
//          the interval that the others give.
// Source:  scenarios/catalog/prediction_errors.txtpb, written by `moesim validate --format errors`;
//          docs/models/accuracy.md.
// Omits:   rows that the model refuses; that errors grow with load, context and batch.
// Layer:   catalog.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/engine_overhead.h"

namespace moesim::catalog {

enum class Figure { Throughput, Ttft, Tpot };

/// What sets deployments apart.
struct Situation {
  std::string engine;        ///< Of the catalog.
  std::string architecture;  ///< Of the GPUs.
  bool moe = false;
  bool many_nodes = false;  ///< An instance spans nodes, or its pools do.
};

/// A published measurement beside its prediction.
struct ScoredFigure {
  std::string row;  ///< "TRT17-001"; what stands before the last dash is the family.
  Figure figure = Figure::Throughput;
  Situation situation;
  double ratio = 1;  ///< measured / predicted, above 0.
  [[nodiscard]] std::string_view family() const;
};

struct Likely {
  double low = 1;  ///< Of measured / predicted.
  double high = 1;
  std::int64_t rows = 0;
  std::int64_t families = 0;
  std::string group;          ///< "dense models on one node with vLLM"
  std::int64_t fit_rows = 0;  ///< Serving runs behind the engine's overhead; 0: none.
};

/// Share of the measurements between `low` and `high` of a Likely.
inline constexpr double kLikelyShare = 0.8;

/// Nothing if too few families measured the figure.
[[nodiscard]] std::optional<Likely> likely_ratio(const std::vector<ScoredFigure>& scored,
                                                 const std::vector<EngineOverhead>& overheads,
                                                 Figure figure, const Situation& situation);

/// Share of the rows of `figure` inside what the other families say of their situation; nothing if
/// there are no such rows. O(families * rows^2).
[[nodiscard]] std::optional<double> coverage(const std::vector<ScoredFigure>& scored,
                                             const std::vector<EngineOverhead>& overheads,
                                             Figure figure);

}  // namespace moesim::catalog
