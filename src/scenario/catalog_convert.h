// Turns catalog messages into checked catalog entries, and models back into text.
//
// Every function notes what is wrong in the scope's document and returns what it could read; the
// result may be used only if the document has no diagnostics.
// Layer: scenario.
#pragma once

#include "catalog.pb.h"
#include "catalog/catalog.h"
#include "scenario/catalog_fields.h"

namespace moesim::scenario {

[[nodiscard]] catalog::Model convert_model(const proto::Model& message, const MessageScope& scope);
[[nodiscard]] catalog::Gpu convert_gpu(const proto::Gpu& message, const MessageScope& scope);
[[nodiscard]] catalog::Fabric convert_fabric(const proto::Fabric& message,
                                             const MessageScope& scope);
[[nodiscard]] catalog::CollectiveMeasurement convert_collective(const MessageScope& scope);
[[nodiscard]] catalog::WeightFormat convert_format(const proto::WeightFormat& message,
                                                   const MessageScope& scope);
[[nodiscard]] catalog::PrecisionRecipe convert_recipe(const MessageScope& scope);
[[nodiscard]] catalog::Engine convert_engine(const proto::Engine& message,
                                             const MessageScope& scope);
[[nodiscard]] catalog::EngineOverhead convert_overhead(const proto::EngineOverhead& message,
                                                       const MessageScope& scope);
[[nodiscard]] catalog::ScoredFigure convert_prediction_error(const proto::PredictionError& message,
                                                             const MessageScope& scope);
[[nodiscard]] catalog::Price convert_price(const MessageScope& scope);

/// The message that convert_model() reads back as the same model.
[[nodiscard]] proto::Model model_message(const catalog::Model& model);

}  // namespace moesim::scenario
