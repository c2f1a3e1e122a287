// The answer of `moesim memory` as a table for people and as JSON for programs.
//
// JSON: message MemoryReport of proto/memory.proto. Table: one screen, GB (10^9 B) and GiB (2^30 B)
// beside each other. Meaning of the figures: docs/models/memory.md.
// Layer: report.
#pragma once

#include <string>
#include <vector>

#include "core/units.h"
#include "plan/layout.h"
#include "plan/memory.h"
#include "plan/usual_layouts.h"

namespace moesim::report {

/// A question about memory and its answer.
struct MemoryAnswer {
  std::string model;
  std::string precision;
  std::string gpu;
  std::string layout_choice;  ///< "as given", "most KV room of the usual layouts on 8 GPUs".
  plan::Layout layout;
  plan::MemoryOptions options;
  Bytes kv_element;
  plan::MemoryReport report;
  std::vector<plan::FittingLayout> smallest;
  std::int64_t searched_gpus = 0;  ///< Largest instance that the search for `smallest` looked at.
};

[[nodiscard]] std::string memory_table(const MemoryAnswer& answer);
/// Indented, fields in the order of their numbers, ending in a line break.
[[nodiscard]] std::string memory_json(const MemoryAnswer& answer);

}  // namespace moesim::report
