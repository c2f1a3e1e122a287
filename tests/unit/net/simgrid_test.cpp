// The flow network against SimGrid's flow model (CM02 with its TCP corrections switched off) on the
// same worlds. Built where SimGrid is installed; it is a tool of the tests only.
#include <rapidcheck.h>

#include <cmath>
#include <simgrid/s4u.hpp>
#include <string>
#include <vector>

#include "core/random.h"
#include "net/fabric.h"
#include "net/flow_network.h"
#include "tests/support/catch.h"
#include "tests/support/toy_worlds.h"
#include "tests/unit/net/random_flows.h"

namespace moesim::net {
namespace {

namespace s4u = simgrid::s4u;

struct World {
  std::vector<BytesPerSecond> capacity;
  std::vector<std::vector<LinkId>> paths;
  std::vector<double> bytes;
};

World random_world(RandomStream& stream, std::int64_t links, std::int64_t flows) {
  World w;
  for (std::int64_t l = 0; l < links; ++l) {
    w.capacity.push_back(1.0_GBps * static_cast<double>(1 + stream.below(100)));
  }
  for (std::int64_t f = 0; f < flows; ++f) {
    std::vector<LinkId> path;
    for (std::uint64_t hop = 0; hop <= stream.below(4); ++hop) {
      const LinkId link{static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(links)))};
      if (std::find(path.begin(), path.end(), link) == path.end()) path.push_back(link);
    }
    w.paths.push_back(path);
    w.bytes.push_back(1e6 * static_cast<double>(1 + stream.below(1000)));
  }
  return w;
}

/// Skewed all-to-all of the GPUs of a cluster over its real links.
World all_to_all_world(RandomStream& stream, const topology::Cluster& cluster) {
  const topology::Topology topology(cluster);
  World w;
  w.capacity = link_capacities(topology);
  for (std::int64_t from = 0; from < cluster.gpus(); ++from) {
    for (std::int64_t to = 0; to < cluster.gpus(); ++to) {
      if (from == to) continue;
      w.paths.push_back(topology.path(GpuId{from}, GpuId{to}));
      w.bytes.push_back(1e6 * (1.0 + 9.0 * stream.uniform()) * static_cast<double>(1 + to % 3));
    }
  }
  return w;
}

/// When each flow ends, all starting at 0.
std::vector<double> our_ends(const World& w) {
  FlowNetwork network(w.capacity);
  for (std::size_t f = 0; f < w.paths.size(); ++f) {
    network.start({}, network.add_path(w.paths[f]), w.bytes[f] * 1.0_B, f);
  }
  std::vector<double> ends(w.paths.size());
  network.rerate({});
  while (network.active() > 0) {
    const SimTime now = network.next_end();
    for (const EndedFlow& flow : network.end_due(now)) ends[flow.tag] = now.seconds() / kSecond;
    network.rerate(now);
  }
  return ends;
}

/// The same by SimGrid; worlds side by side in one platform, since a process has one engine.
std::vector<std::vector<double>> simgrid_ends(const std::vector<World>& worlds) {
  int argc = 1;
  std::string name = "test";
  char* arguments[] = {name.data(), nullptr};
  s4u::Engine engine(&argc, arguments);
  s4u::Engine::set_config("network/model:CM02");
  s4u::Engine::set_config("network/latency-factor:1");
  s4u::Engine::set_config("network/bandwidth-factor:1");
  s4u::Engine::set_config("network/weight-S:0");
  s4u::Engine::set_config("network/crosstraffic:0");
  s4u::Engine::set_config("network/TCP-gamma:0");
  auto* zone = s4u::create_full_zone("world");
  struct Job {
    s4u::Host* from;
    s4u::Host* to;
    double bytes;
  };
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < worlds.size(); ++i) {
    const World& w = worlds[i];
    const std::string prefix = "w" + std::to_string(i);
    std::vector<s4u::Link*> links;
    for (std::size_t l = 0; l < w.capacity.size(); ++l) {
      links.push_back(
          zone->create_link(prefix + "l" + std::to_string(l), w.capacity[l] / 1.0_Bps)->seal());
    }
    for (std::size_t f = 0; f < w.paths.size(); ++f) {
      const std::string pair = prefix + "f" + std::to_string(f);
      s4u::Host* from = zone->create_host(pair + "a", 1e9)->seal();
      s4u::Host* to = zone->create_host(pair + "b", 1e9)->seal();
      std::vector<s4u::LinkInRoute> route;
      for (const LinkId link : w.paths[f]) route.emplace_back(links[link.index()]);
      zone->add_route(from->get_netpoint(), to->get_netpoint(), nullptr, nullptr, route, false);
      jobs.push_back({.from = from, .to = to, .bytes = w.bytes[f]});
    }
  }
  zone->seal();
  std::vector<double> ends;
  s4u::Actor::create("all", jobs.front().from, [&] {
    std::vector<s4u::CommPtr> flows;
    for (const Job& job : jobs) {
      flows.push_back(
          s4u::Comm::sendto_async(job.from, job.to, static_cast<std::uint64_t>(job.bytes)));
    }
    for (const auto& flow : flows) flow->wait();
    for (const auto& flow : flows) ends.push_back(flow->get_finish_time());
  });
  engine.run();
  std::vector<std::vector<double>> of_world;
  std::size_t at = 0;
  for (const World& w : worlds) {
    of_world.emplace_back(ends.begin() + static_cast<std::ptrdiff_t>(at),
                          ends.begin() + static_cast<std::ptrdiff_t>(at + w.paths.size()));
    at += w.paths.size();
  }
  return of_world;
}

TEST_CASE("flow_network: flows end when SimGrid's flow model ends them, within 1 %",
          "[net][simgrid]") {
  RandomStream stream(1, "simgrid worlds");
  std::vector<World> worlds;
  for (int i = 0; i < 8; ++i) worlds.push_back(random_world(stream, 4 + 2 * i, 10 + 5 * i));
  worlds.push_back(all_to_all_world(stream, test::toy_cluster(1, 8)));
  worlds.push_back(all_to_all_world(stream, test::toy_cluster(4, 4)));
  topology::Cluster leaves = test::toy_cluster(4, 4);
  leaves.scale_out = topology::ScaleOut::LeafSpine;
  leaves.leaf_ports = 8;
  leaves.oversubscription = 2.0;
  worlds.push_back(all_to_all_world(stream, leaves));
  const auto theirs = simgrid_ends(worlds);
  double worst = 0.0;
  for (std::size_t i = 0; i < worlds.size(); ++i) {
    const std::vector<double> ours = our_ends(worlds[i]);
    for (std::size_t f = 0; f < ours.size(); ++f) {
      worst = std::max(worst, std::abs(ours[f] / theirs[i][f] - 1.0));
    }
  }
  INFO("largest relative difference of an end: " << worst);
  CHECK(worst < 0.01);
  WARN("largest relative difference of an end: " << worst);
}

}  // namespace
}  // namespace moesim::net
