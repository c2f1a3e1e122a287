// What the links of a cluster carried in a run: use by kind of link, the busiest links, and which
// one held the run back.
//
// Formula: utilisation of a link = bytes / (rate * duration): the share of the run its bytes need
// at
//          its full rate. The bottleneck is the link that was the narrowest place of some flow for
//          longest; where nobody waited, the one with the highest utilisation.
// Layer:   report.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "net/flow_network.h"
#include "topology/topology.h"

namespace moesim::report {

/// Links of one kind and direction, as a table shows them.
struct KindUse {
  std::string name;        ///< "GPU to switch", "NIC to leaf", ...
  std::int64_t links = 0;  ///< That are up.
  std::int64_t used = 0;   ///< That carried a byte.
  Bytes carried;           ///< All of them together.
  double mean = 0.0;       ///< Utilisation, over all that are up.
  double most = 0.0;
};

struct BusyLink {
  LinkId link;
  Bytes carried;
  double utilisation = 0.0;
  double bottleneck = 0.0;  ///< Share of the run while it held some flow back.
};

struct FabricUse {
  Seconds duration;
  std::vector<KindUse> kinds;            ///< In order of the way out of a GPU; none without links.
  std::vector<BusyLink> busiest;         ///< At most ten, bottleneck first.
  std::optional<BusyLink> bottleneck{};  ///< Nothing where no byte moved.
};

/// `links[i]` is what the link of that id carried within `duration`. Preconditions (checked): one
/// entry per link, duration > 0.
[[nodiscard]] FabricUse fabric_use(const topology::Topology& topology,
                                   std::span<const net::LinkUse> links, Seconds duration);

/// The table below the drawing.
[[nodiscard]] std::string fabric_use_text(const topology::Topology& topology, const FabricUse& use);

}  // namespace moesim::report
