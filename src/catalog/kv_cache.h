// What the key-value cache of one sequence takes, on one tensor-parallel rank.
//
// Formula: GQA and MHA: kv_heads * (head_dim + v_head_dim) elements per token and layer, the heads
// divided over TP ranks and replicated once there are more ranks than heads; MLA: kv_lora_rank +
// qk_rope_dim on every rank; a window caps the tokens kept; compressed attention keeps a fraction
// of an entry per token; linear-attention layers keep a constant state. docs/models/parameters.md.
// Omits: rounding up to blocks (the engine's allocator does that) and paging overhead.
// Layer: catalog.
#pragma once

#include <cstdint>
#include <vector>

#include "catalog/model.h"
#include "core/units.h"

namespace moesim::catalog {

/// The cache of one sequence on one TP rank, split by how it grows with the context.
struct KvFootprint {
  /// Layers of one window size together.
  struct Windowed {
    std::int64_t window = 0;  ///< Tokens kept at most.
    Bytes per_token;          ///< Of all those layers, up to `window` tokens.
  };
  Bytes per_token_full;   ///< Keys, values or latents of layers that keep the whole context.
  Bytes per_token_index;  ///< Keys of the indexers that choose what to attend to (DSA, V4).
  std::vector<Windowed> windowed;  ///< Ascending by window.
  Bytes per_sequence_state;        ///< Constant state of linear-attention layers.

  /// Growth per token once every window is full.
  [[nodiscard]] Bytes per_token() const { return per_token_full + per_token_index; }
  /// One sequence with `tokens` tokens of context. Precondition: tokens >= 0. Monotone.
  [[nodiscard]] Bytes of_sequence(std::int64_t tokens) const;
};

/// Footprint of layers [first, last) on one of `tp` ranks; `element` is the size of a cached value
/// (2 B in bf16, 1 B in fp8). Precondition: 0 <= first <= last <= model.layers(), tp >= 1.
[[nodiscard]] KvFootprint kv_footprint(const Model& model, Bytes element, std::int64_t tp,
                                       std::int64_t first, std::int64_t last);
/// All layers.
[[nodiscard]] KvFootprint kv_footprint(const Model& model, Bytes element, std::int64_t tp = 1);

/// The figure usually quoted (Llama 3.1 70B in bf16: 327,680 B): what a token adds, on one GPU that
/// holds the whole model, in the layers that keep the whole context; indexer keys not counted. A
/// model whose layers all have windows: what a token adds until they are full.
[[nodiscard]] Bytes kv_bytes_per_token(const Model& model, Bytes element);

}  // namespace moesim::catalog
