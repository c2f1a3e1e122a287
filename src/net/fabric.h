// A topology with flows on it: the network of its links and the path of each pair of GPUs.
//
// Layer: net.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ids.h"
#include "core/units.h"
#include "net/flow_network.h"
#include "topology/topology.h"

namespace moesim::net {

/// Usable rate of each link; 0: down.
[[nodiscard]] std::vector<BytesPerSecond> link_capacities(const topology::Topology& topology);

/// 1 for each link that can never be a bottleneck: whatever enters by it must leave by one other
/// link, which is no wider (or comes from one), such as a GPU's PCIe beside the port of its own
/// NIC. Links turning back to where a flow came from do not count: paths do not; nor do
/// links that are down. Sharing is the
/// same without them; a network that passes over them is smaller.
[[nodiscard]] std::vector<std::uint8_t> dominated_links(const topology::Topology& topology);

/// The topology must outlive the fabric.
class Fabric {
 public:
  explicit Fabric(const topology::Topology& topology);
  [[nodiscard]] const topology::Topology& topology() const { return *topology_; }
  [[nodiscard]] FlowNetwork& network() { return network_; }
  [[nodiscard]] const FlowNetwork& network() const { return network_; }
  /// The topology's path, looked up once per pair. Precondition: from != to.
  [[nodiscard]] PathId path(GpuId from, GpuId to);

 private:
  const topology::Topology* topology_;
  FlowNetwork network_;
  std::vector<std::vector<std::int32_t>>
      path_;  ///< [from][to], rows made when needed; -1: not yet.
};

}  // namespace moesim::net
