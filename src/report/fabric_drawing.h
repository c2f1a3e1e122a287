// The pictures of a fabric in text: one node, and the network above the nodes.
//
// Internal to the folder.
// Layer: report.
#pragma once

#include <string>

#include "topology/topology.h"

namespace moesim::report {

/// Node 0: its scale-up links above the GPUs, its NICs below.
[[nodiscard]] std::string node_drawing(const topology::Topology& topology);

/// Spines, leaves and the nodes below them; nothing where there is no network.
[[nodiscard]] std::string network_drawing(const topology::Topology& topology);

}  // namespace moesim::report
