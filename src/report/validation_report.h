// The answer of `moesim validate kernels` as a table for people and as JSON for programs.
//
// JSON: message KernelValidation of proto/validation.proto.
// Layer: report.
#pragma once

#include <cstdint>
#include <string>

#include "calibration/score.h"

namespace moesim::report {

struct KernelValidation {
  std::string data;  ///< Folder of the measurements.
  std::int64_t rows = 0;
  std::int64_t rows_without_curve = 0;
  calibration::Score score;
};

[[nodiscard]] std::string validation_table(const KernelValidation& validation);
/// Indented, fields in the order of their numbers, ending in a line break.
[[nodiscard]] std::string validation_json(const KernelValidation& validation);

}  // namespace moesim::report
