// A Hugging Face config.json as a model of the catalog.
//
// What a config does not say is derived as docs/models/parameters.md states; an architecture that
// is not known, or a field that is needed and missing, is refused by name, never guessed.
// Layer: scenario.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "catalog/model.h"

namespace moesim::scenario {

/// The model in the file at `path`, named `name`, or after the file. Throws InputError naming the
/// fields, or IoError.
[[nodiscard]] catalog::Model import_hf_config(const std::string& path,
                                              const std::string& name = "");
/// The same from memory; `file` is used in messages.
[[nodiscard]] catalog::Model import_hf_text(std::string_view json, const std::string& file,
                                            const std::string& name);
/// Values of `model_type` that can be imported, in alphabetical order.
[[nodiscard]] std::vector<std::string> importable_model_types();

}  // namespace moesim::scenario
