// All pools of a deployment: one that does everything, or one that prefills and one that decodes.
//
// Pools take consecutive GPUs of the cluster, in order. Layer: serving.
#pragma once

#include <cstdint>
#include <vector>

#include "serving/deployment.h"

namespace moesim::serving {

/// When the cache of a prompt leaves the rank that computes it. The decode rank reserves blocks for
/// the whole prompt first, in either mode.
enum class KvTransferMode {
  AtEnd,      ///< Blocks are asked for, and all is sent, when the prompt is complete.
  Layerwise,  ///< Blocks are asked for before the prompt starts; layers leave as they are computed.
};

struct KvTransferSettings {
  KvTransferMode mode = KvTransferMode::AtEnd;
};

struct Fleet {
  /// One of role Mixed, or one Prefill and one Decode, in this order.
  std::vector<Deployment> pools;
  KvTransferSettings kv_transfer{};
  [[nodiscard]] bool is_split() const { return pools.size() > 1; }
  [[nodiscard]] std::int64_t gpus() const {
    std::int64_t sum = 0;
    for (const Deployment& pool : pools) sum += pool.layout.gpus();
    return sum;
  }
};

}  // namespace moesim::serving
