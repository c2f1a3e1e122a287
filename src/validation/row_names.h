// What published names mean in the catalog: models, GPUs, engines and number formats.
//
// Names are compared letter by letter and digit by digit, without case, blanks or punctuation.
// A model may carry sizes, dates and words such as "Instruct" behind its name, a GPU its memory
// ("80G"), which chooses between variants. What is not found is nothing, never the nearest.
// Layer: validation.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "catalog/catalog.h"

namespace moesim::validation {

[[nodiscard]] const catalog::Model* model_of(std::string_view text,
                                             const catalog::Catalog& catalog);
[[nodiscard]] const catalog::Gpu* gpu_of(std::string_view text, const catalog::Catalog& catalog);
/// The catalog's engine whose name the text starts with.
[[nodiscard]] const catalog::Engine* engine_of(std::string_view text,
                                               const catalog::Catalog& catalog);

struct Formats {
  std::string weights;   ///< Of the catalog; "": as the model is published.
  std::string kv_cache;  ///< "bf16", "fp8" or "auto".
};
/// Nothing for a text that names no known format.
[[nodiscard]] std::optional<Formats> formats_of(std::string_view text, const catalog::Model& model,
                                                const catalog::Engine& engine);

/// The number before or behind `words` in a text: count_before("3000 requests", "requests").
[[nodiscard]] std::optional<double> number_before(std::string_view text, std::string_view words);
[[nodiscard]] std::optional<double> number_behind(std::string_view text, std::string_view words);

/// The larger end of "max batch 896-1024"; the number itself if it is no range.
[[nodiscard]] std::optional<double> end_of_range(std::string_view text, std::string_view words);

}  // namespace moesim::validation
