// A placement instance in a folder: the load a planner may use, the load that comes later, and
// tokens of both.
//
// Files:  instance.json {experts, top_k, groups, top_groups, layers, trace_layers, name};
//         load_train.csv, load_eval.csv: one line of numbers per MoE layer; trace_train.txt and
//         trace_eval.txt (or .txt.gz; may be absent): tokens of the layers in trace_layers.
// Form:   docs/formats/engine_files.md. Layer: interchange.
#pragma once

#include <string>

#include "placement/problem.h"
#include "routing/expert_router.h"

namespace moesim::interchange {

struct Instance {
  std::string name;
  routing::RoutingShape shape;
  placement::Workload train;
  placement::Workload eval;
};

/// Throws InputError with every mistake of a file (at most 20 of them), IoError if one cannot be
/// read. Everything is bounded before it is allocated.
[[nodiscard]] Instance read_instance(const std::string& directory);

}  // namespace moesim::interchange
