// Paths over a wiring: of fewest hops, with rail affinity, around links that are down.
//
// Internal to the folder. Rules: topology.h and docs/models/topology.md.
// Layer: topology.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "core/check.h"
#include "topology/wiring.h"

namespace moesim::topology {

/// The links of a path, without the heap. Scale-up at both ends (2 + 2), GPU to NIC (1 + 1), ports
/// (1 + 1) and the spine (2) make ten.
class Route {
 public:
  void append(LinkId link) {
    MOESIM_DCHECK(size_ < links_.size(), "a path has at most ten links");
    links_[size_++] = link;
  }
  [[nodiscard]] std::span<const LinkId> links() const { return {links_.data(), size_}; }

 private:
  std::array<LinkId, 10> links_{};
  std::size_t size_ = 0;
};

/// A NIC and the GPU that hands to it (the NIC's own side of the way in or out of a node).
struct Exit {
  std::int64_t nic = 0;
  GpuId gpu;
};

/// Links from one GPU to another; empty for from == to. O(hops); where links are down, up to
/// O(NICs of a node)^2 for pairs that lost their usual ways. Precondition: they reach each other.
[[nodiscard]] Route route_between(const Wiring& wiring, GpuId from, GpuId to);

/// The NIC a GPU uses: its own, or the next one up that its node (its domain) still has. Nothing if
/// there is none.
[[nodiscard]] std::optional<Exit> exit_of(const Wiring& wiring, GpuId gpu);

/// Whether the network between NICs joins two: same leaf, or a spine that both leaves still reach.
[[nodiscard]] bool joined(const Wiring& wiring, std::int64_t nic_from, std::int64_t nic_to);

/// Whether scale-up links join two GPUs of an island, in one step or around a pair that is down.
[[nodiscard]] bool scale_up_joins(const Wiring& wiring, GpuId from, GpuId to);

}  // namespace moesim::topology
