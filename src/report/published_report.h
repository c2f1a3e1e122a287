// The answer of `moesim validate`: a page, JSON and CSV.
//
// JSON: message PublishedValidation of proto/validation.proto. CSV: one line per row.
// Layer: report.
#pragma once

#include <string>

#include "validation/validation.h"

namespace moesim::report {

[[nodiscard]] std::string published_table(const validation::Validation& validation);
[[nodiscard]] std::string published_json(const validation::Validation& validation);
[[nodiscard]] std::string published_csv(const validation::Validation& validation);

}  // namespace moesim::report
