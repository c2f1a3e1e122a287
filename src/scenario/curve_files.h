// Reads and writes the curves of operators: scenarios/catalog/curves/<operation>.txtpb.
//
// Layer: scenario.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "catalog/curve.h"
#include "catalog/gpu.h"

namespace moesim::scenario {

/// All curves below `directory` (files *.txtpb, in the order of their names), checked: the
/// operation is known, each coefficient is there once and within its bounds, the GPU is one of
/// `gpus`. Throws IoError if the folder cannot be read and InputError with every mistake.
[[nodiscard]] catalog::CurveSet read_curves(const std::string& directory,
                                            std::span<const catalog::Gpu> gpus);

/// The curves of one file, or of its text (`name` stands in errors), checked in the same way.
[[nodiscard]] std::vector<catalog::Curve> read_curve_file(const std::string& path,
                                                          std::span<const catalog::Gpu> gpus);
[[nodiscard]] std::vector<catalog::Curve> parse_curves(const std::string& text,
                                                       const std::string& name,
                                                       std::span<const catalog::Gpu> gpus);

/// The file that holds `curves`, numbers to six significant digits.
[[nodiscard]] std::string curves_text(std::span<const catalog::Curve> curves);

}  // namespace moesim::scenario
