// KV caches and the exchanges of expert groups on the same NIC ports.
//
// Model:   while an exchange is under way its `flows` messages on a port and the n caches there
//          share it max-min fairly, 1 / (flows + n) of its rate each. Either side sees the other in
//          the mean:
//          - caches see a port of rate * (1 - share * flows / (flows + max(1, n))), `share` being
//            the part of the present iteration in which its exchanges need the network;
//          - exchanges need the network (1 + n / flows) times as long, n being the mean number of
//            caches on the group's fullest port during the iteration before: what meets in one
//            iteration is paid in the next.
// Omits:   collectives of tensor parallelism and hand-overs between stages on the same ports;
//          scale-up links; caches held back by another link (they take less than counted).
//          docs/models/disaggregation.md. Layer: serving.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/ids.h"
#include "core/sim_time.h"
#include "net/flow_runs.h"
#include "serving/instance.h"
#include "topology/topology.h"

namespace moesim::serving {

class NicSharing {
 public:
  /// Both must outlive it.
  NicSharing(const topology::Topology& topology, net::FlowRuns& runs);
  /// The stages of the next instance, in the order in which units are numbered. Those whose
  /// exchanges stay off the network are never looked at again.
  void add(const Instance& instance);

  /// Ports that a cache leaves and enters by; nothing where it stays inside a scale-up domain.
  void find_ports(GpuId from, GpuId to, std::vector<LinkId>& ports) const;
  void begin(std::span<const LinkId> ports, SimTime now);
  void end(std::span<const LinkId> ports, SimTime now);

  /// Tells an instance that may start an iteration now which caches its exchanges will meet.
  void before(std::size_t unit, Instance& instance, SimTime now) const;
  /// And what came of it.
  void after(std::size_t unit, const Instance& instance, bool started, SimTime now);

 private:
  struct Port {
    std::int32_t caches = 0;
    std::vector<std::size_t> groups;  ///< Whose exchanges cross it.
    std::vector<LinkId> links;        ///< Itself and PCIe in a row with it that is no wider.
    double free = 1.0;                ///< Of its rate, as the flows have it.
  };
  /// One stage of one instance.
  struct Group {
    std::vector<LinkId> ports;
    std::vector<std::int32_t> with_caches;  ///< [n] ports with n caches.
    std::size_t most = 0;                   ///< Caches on the fullest port.
    double sum = 0;                         ///< Of `most` over the picoseconds that count.
    double time = 0;
    SimTime since;
    bool runs = false;
    double share = 0;  ///< Of its iteration that exchanges need the network for.
    double flows = 1;  ///< Of an exchange on a port.
  };
  [[nodiscard]] std::vector<LinkId> ports_of(std::span<const GpuId> gpus) const;
  static void count(Group& group, SimTime now);
  void change(LinkId port, std::int32_t by, SimTime now);
  void set_rate(LinkId port);

  const topology::Topology& topology_;
  net::FlowRuns& runs_;
  std::vector<Port> port_;  ///< [link]
  std::vector<Group> groups_;
  struct Span {
    std::size_t first = 0;
    std::size_t count = 0;  ///< Stages; 0: none exchanges over the network.
  };
  std::vector<Span> groups_of_unit_;
};

}  // namespace moesim::serving
