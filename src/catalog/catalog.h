// Everything that exists: models, GPUs, fabrics, formats, engines, prices; looked up by name.
//
// Names match case-insensitively, aliases included. `find_*` returns nullptr for an unknown name;
// `*_names` feed the "did you mean" of error messages.
// Layer: catalog.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/curve.h"
#include "catalog/engine.h"
#include "catalog/engine_overhead.h"
#include "catalog/fabric.h"
#include "catalog/gpu.h"
#include "catalog/model.h"
#include "catalog/precision.h"
#include "catalog/prediction_error.h"
#include "catalog/price.h"

namespace moesim::catalog {

struct Catalog {
  std::vector<Model> models;
  std::vector<Gpu> gpus;
  std::vector<Fabric> fabrics;
  std::vector<CollectiveMeasurement> measurements;
  std::vector<WeightFormat> formats;
  std::vector<PrecisionRecipe> recipes;
  std::vector<Engine> engines;
  std::vector<EngineOverhead> engine_overheads;
  std::vector<ScoredFigure> scored_figures;
  std::vector<Price> prices;
  std::shared_ptr<const CurveSet> curves;  ///< Null: not read.

  [[nodiscard]] const Model* find_model(std::string_view name) const;
  [[nodiscard]] const Gpu* find_gpu(std::string_view name) const;
  [[nodiscard]] const Fabric* find_fabric(std::string_view name) const;
  [[nodiscard]] const WeightFormat* find_format(std::string_view name) const;
  [[nodiscard]] const Engine* find_engine(std::string_view name) const;
  [[nodiscard]] const PrecisionRecipe* find_recipe(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> model_names() const;
  [[nodiscard]] std::vector<std::string> gpu_names() const;
  [[nodiscard]] std::vector<std::string> fabric_names() const;
  /// Formats, then recipes: all that precision() knows.
  [[nodiscard]] std::vector<std::string> precision_names() const;
  [[nodiscard]] std::vector<std::string> engine_names() const;
  /// Format `name` applied to a model: which classes it covers follows from the format
  /// (linear weights, whole file, or experts only). Empty if there is no such format. Names of a
  /// released mixture ("fp8_block", "mxfp4_experts+bf16", "fp4_experts+fp8") are known as well.
  [[nodiscard]] std::optional<Precision> precision(std::string_view name) const;
  /// Rent of one GPU-hour on demand (name or alias of the GPU): an offer of single GPUs before one
  /// of whole nodes, then the most recent, then the first listed; nullptr if none is known.
  [[nodiscard]] const Price* rent_of(std::string_view gpu) const;
};

}  // namespace moesim::catalog
