// Variants of one scenario: fields and the values they take, as written on the command line.
//
// "experts.placement.strategy=contiguous,eplb" is one axis; several axes give every combination,
// the last one changing fastest. A comma inside quotes, braces or brackets belongs to its value.
// Limits: 2..100 values of an axis, 100 combinations.
// Layer:  sweep.
#pragma once

#include <string>
#include <vector>

#include "scenario/sweep_reader.h"
#include "sweep/sweep_result.h"

namespace moesim::sweep {

/// Reads each option "FIELD=VALUE,VALUE...". Throws InputError with all mistakes of all of them: no
/// '=', no field, fewer than two values, one that is empty or stands twice, a field given twice,
/// too many. Whether the scenario has such a field is found when it is read.
[[nodiscard]] std::vector<scenario::SweepAxis> parse_varied_fields(
    const std::vector<std::string>& options);

struct NamedSettings {
  std::string name;  ///< Short and distinct: "eplb", or "strategy=eplb, redundant_experts=32".
  std::vector<Setting> settings;
};

/// Every combination of the axes. One axis of words gives their names; otherwise a name says the
/// last part of each field, or all of it where last parts are alike. Precondition: axes as
/// parse_varied_fields() gives them.
[[nodiscard]] std::vector<NamedSettings> combinations(const std::vector<scenario::SweepAxis>& axes);

}  // namespace moesim::sweep
