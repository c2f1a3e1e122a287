// A cluster drawn: one node in detail, how nodes are joined, and the figures of the whole.
//
// Layer: report.
#pragma once

#include <string>
#include <vector>

#include "topology/topology.h"

namespace moesim::serving {
struct RunResult;
}

namespace moesim::report {

/// What is drawn, in words.
struct FabricSubject {
  std::string name;
  std::string description;
  std::string source;
  std::vector<std::string> notes;
};

/// Readable text, at most kPageWidth wide.
[[nodiscard]] std::string fabric_text(const FabricSubject& subject,
                                      const topology::Topology& topology);

/// FabricReport of proto/fabric.proto, with what a run moved if there was one.
[[nodiscard]] std::string fabric_json(const FabricSubject& subject,
                                      const topology::Topology& topology,
                                      const serving::RunResult* run = nullptr);

/// Nodes that are wired alike drawn as one box, or every GPU and link.
enum class DotDetail { Collapsed, Full };

/// Graphviz, an undirected graph: one edge stands for both directions of a link, or for several
/// links between the same boxes.
[[nodiscard]] std::string fabric_dot(const FabricSubject& subject,
                                     const topology::Topology& topology, DotDetail detail);

/// "rail", "leaf-spine", ...
[[nodiscard]] std::string wiring_words(topology::ScaleOut wiring);

/// "45 GB/s": four digits.
[[nodiscard]] std::string rate_text(BytesPerSecond rate);

/// "node0/nic3 -> rail3/leaf0".
[[nodiscard]] std::string link_text(const topology::Topology& topology, LinkId link);

}  // namespace moesim::report
