// A path as text, for the tests of topology.
#pragma once

#include <string>

#include "topology/topology.h"

namespace moesim::test {

/// "node0/gpu0 domain0 node0/gpu1": the vertices a path visits.
inline std::string walk(const topology::Topology& t, GpuId from, GpuId to) {
  std::string text = t.vertices()[from.index()].name;
  for (const LinkId id : t.path(from, to)) {
    text += " " + t.vertices()[static_cast<std::size_t>(t.links()[id.index()].to)].name;
  }
  return text;
}

}  // namespace moesim::test
