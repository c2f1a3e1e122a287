// Words for the enumerations of the catalog, as lists and records print them.
//
// Layer: cli.
#pragma once

#include <string>
#include <vector>

#include "catalog/catalog.h"

namespace moesim::cli {

[[nodiscard]] std::string to_words(catalog::FabricKind kind);
[[nodiscard]] std::string to_words(catalog::ScaleUpKind kind);
[[nodiscard]] std::string to_words(catalog::MathFormat format);
[[nodiscard]] std::string to_words(catalog::Support support);
/// "linear weights", "whole file" or "routed experts".
[[nodiscard]] std::string scope_words(const catalog::WeightFormat& format);
/// The kinds of attention of the model's layers: "GQA + window", "MLA + sparse".
[[nodiscard]] std::string attention_words(const catalog::Model& model);
/// With ", " between.
[[nodiscard]] std::string joined(const std::vector<std::string>& texts);

}  // namespace moesim::cli
