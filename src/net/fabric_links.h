// What a flow network needs to know of a topology's links.
//
// Layer: net.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/units.h"
#include "topology/topology.h"

namespace moesim::net {

/// Usable rate of each link.
[[nodiscard]] std::vector<BytesPerSecond> link_capacities(const topology::Topology& topology);

/// 1 for each link that can never be a bottleneck: whatever enters by it must leave by one other
/// link, which is no wider (or comes from one), such as a GPU's PCIe beside the port of its own
/// NIC. Links turning back to where a flow came from do not count: paths do not. Sharing is the
/// same without them; a network that passes over them is smaller.
[[nodiscard]] std::vector<std::uint8_t> dominated_links(const topology::Topology& topology);

}  // namespace moesim::net
