// How long experts take to move: the weights of a new placement as flows on the fabric.
//
// Model:   all moves of one call start at once, from the GPU that holds the expert to the one that
//          gets it, and share the links max-min fairly; nothing else is on the links. With expert
//          tensor parallelism every shard moves between its own GPUs.
// Omits:   traffic of other instances meanwhile, copies into place, the engine's bookkeeping.
//          Source and error: docs/models/serving.md.
// Layer:   serving.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "net/fabric.h"
#include "serving/deployment.h"
#include "serving/step_time.h"
#include "strategies/migration.h"
#include "topology/topology.h"

namespace moesim::serving {

class ExpertMigration {
 public:
  /// `groups`: GPUs of the expert group of each pipeline stage.
  ExpertMigration(const Deployment& deployment, const topology::Topology& topology,
                  std::vector<std::vector<GpuId>> groups);
  /// Of moves between the ranks of one stage's group.
  [[nodiscard]] LimitedTime time(std::size_t stage, std::span<const strategies::Move> moves);
  /// Weights of one expert in one MoE layer, all shards.
  [[nodiscard]] Bytes expert_bytes(std::int64_t moe_layer) const {
    return bytes_of_layer_[static_cast<std::size_t>(moe_layer)];
  }

 private:
  std::vector<std::vector<GpuId>> groups_;
  std::int64_t shards_;
  std::vector<Bytes> bytes_of_layer_;
  net::Fabric fabric_;
};

}  // namespace moesim::serving
