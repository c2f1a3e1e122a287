// How many parameters each part of a model has.
//
// Formula: docs/models/parameters.md. Conventions: counts weights, not bytes; `total` counts the
// main model without MTP modules; `active` counts what one text token touches, input embedding
// included, vision tower not.
// Layer: catalog.
#pragma once

#include <cstdint>

#include "catalog/model.h"
#include "catalog/precision.h"
#include "core/units.h"

namespace moesim::catalog {

/// Parameters of one layer, split by how parallelism divides them.
struct LayerParameters {
  std::int64_t attention_sharded = 0;     ///< Divided by TP (projections over heads).
  std::int64_t attention_kv = 0;          ///< Key/value projections: divided by min(TP, kv_heads).
  std::int64_t attention_replicated = 0;  ///< On every TP rank (MLA down-projections, indexer).
  std::int64_t norms = 0;
  std::int64_t dense_ffn = 0;       ///< Divided by TP.
  std::int64_t router = 0;          ///< Replicated; with biases and expert_hidden projections.
  std::int64_t routed_expert = 0;   ///< Of ONE routed expert.
  std::int64_t shared_experts = 0;  ///< Of all shared experts.
  std::int64_t routed_expert_count = 0;
  std::int64_t active_expert_count = 0;  ///< top_k
  [[nodiscard]] std::int64_t attention() const {
    return attention_sharded + attention_kv + attention_replicated;
  }
  [[nodiscard]] std::int64_t total() const;
  [[nodiscard]] std::int64_t active() const;
};

struct ModelParameters {
  std::int64_t attention = 0;
  std::int64_t norms = 0;
  std::int64_t dense_ffn = 0;
  std::int64_t router = 0;
  std::int64_t routed_experts = 0;
  std::int64_t shared_experts = 0;
  std::int64_t embedding = 0;
  std::int64_t head = 0;  ///< 0 when tied to the embedding.
  std::int64_t vision = 0;
  std::int64_t other = 0;
  std::int64_t mtp = 0;         ///< Not part of total().
  std::int64_t mtp_copied = 0;  ///< Stored twice in the checkpoint; not part of total().
  std::int64_t active = 0;
  [[nodiscard]] std::int64_t total() const;
};

[[nodiscard]] LayerParameters layer_parameters(const Model& model, const LayerKind& kind);
[[nodiscard]] ModelParameters count_parameters(const Model& model);

/// Bytes of the main model's weights, each tensor class in its own format; vision in that of norms.
[[nodiscard]] Bytes weight_bytes(const ModelParameters& parameters, const Precision& precision);
/// Bytes of the files on disk: weights, MTP modules and what the files hold twice for them.
[[nodiscard]] Bytes checkpoint_bytes(const ModelParameters& parameters, const Precision& precision);

}  // namespace moesim::catalog
