// Links and NICs that join GPUs and nodes: peak and usable rate, latency of one message.
//
// Source of each entry: scenarios/catalog/fabrics.txtpb.
// Layer: catalog.
#pragma once

#include <string>
#include <vector>

#include "core/units.h"

namespace moesim::catalog {

enum class FabricKind { NvLink, Xgmi, Pcie, InfiniBand, Roce, Efa, ChipToChip };

struct Fabric {
  std::string name;
  std::vector<std::string> aliases;
  FabricKind kind = FabricKind::InfiniBand;
  BytesPerSecond bandwidth;  ///< Peak per direction and GPU (or port).
  double efficiency = 1.0;   ///< Usable share of the peak for large messages.
  std::string efficiency_source;
  Seconds latency;  ///< Of one small message end to end, software included.
  std::string latency_source;
  std::string source;
  std::string note;
};

/// One measured collective, kept as evidence beside the links.
struct CollectiveMeasurement {
  std::string name;
  std::string scope;
  std::string operation;
  int ranks = 0;
  BytesPerSecond peak;
  BytesPerSecond bus_bandwidth;
  Bytes at_size;
  Bytes half_peak_size;
  Seconds small_message_latency;
  std::string basis;
  std::string source;
  std::string note;
};

}  // namespace moesim::catalog
