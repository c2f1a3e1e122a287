// The routing that a placement file plans for: instance folders, recorded files, or what the runs
// of its scenario draw.
//
// Internal to the folder. Layer: scenario.
#pragma once

#include <string>

#include "routing/expert_router.h"
#include "scenario/findings.h"
#include "scenario/placement_task.h"
#include "scenario/scenario_reader.h"

namespace moesim::proto {
class Placement;
class PlacementWorkload;
}  // namespace moesim::proto

namespace moesim::scenario {

/// A path of the file, from the folder of the file.
[[nodiscard]] std::string located(const TextOrigin& origin, const std::string& path);

class PlacementRouting {
 public:
  /// `task`: with its scenario, or its model's layers and routing shape, where the file gives them.
  PlacementRouting(const proto::Placement& message, const TextOrigin& origin, Findings& findings,
                   PlacementTask& task)
      : message_(message), origin_(origin), findings_(findings), task_(task) {}
  /// Fills the workloads, the later ones, and the routing shape if the file tells it.
  void read();

 private:
  /// What the scenario's runs draw: its popularity, and tokens where it replays a trace
  /// or has affinity.
  void take_scenario_routing();
  /// True if it has later routing.
  bool read_workload(const proto::PlacementWorkload& in, const std::string& path);
  bool take_instance(const proto::PlacementWorkload& in, const std::string& path, double weight);
  bool take_files(const proto::PlacementWorkload& in, const std::string& path, double weight);
  /// The first instance gives the shape; all others must have it.
  void fit_shape(const routing::RoutingShape& shape, const std::string& path);

  const proto::Placement& message_;
  const TextOrigin& origin_;
  Findings& findings_;
  PlacementTask& task_;
};

}  // namespace moesim::scenario
