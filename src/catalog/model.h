// A language model as the simulator needs it: the shapes of its layers, kind by kind.
//
// A model is a list of layer kinds and the order in which they stand. Interleaved MoE layers,
// windows, MLA, linear-attention layers and shared experts are data, never special cases in code.
// Units: sizes are element counts unless a comment says otherwise.
// Source of each entry: scenarios/catalog/models.txtpb.
// Layer: catalog.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace moesim::catalog {

/// How a layer mixes information between tokens.
enum class AttentionKind {
  Gqa,     ///< Softmax attention with grouped (or all, or one) key-value heads.
  Mla,     ///< Multi-head latent attention: one compressed latent and one rope key per token.
  Linear,  ///< Linear attention or state-space layer: a constant state per sequence, no KV growth.
  Cross,   ///< Cross-attention to image tokens: no KV of text tokens.
};

struct Attention {
  AttentionKind kind = AttentionKind::Gqa;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;     ///< Of queries and keys (MLA: qk_nope_dim + qk_rope_dim).
  std::int64_t v_head_dim = 0;   ///< Of values; mostly head_dim outside MLA.
  bool shared_kv = false;        ///< Gqa: the value is the key: one projection, one cache entry.
  bool output_gate = false;      ///< Gqa: the query projection also yields a gate per output.
  std::int64_t q_lora_rank = 0;  ///< Queries in two steps; 0 = projected directly.
  std::int64_t o_lora_rank = 0;  ///< Gqa: outputs in two steps, `o_groups` groups of heads each.
  std::int64_t o_groups = 1;
  std::int64_t kv_lora_rank = 0;
  std::int64_t qk_nope_dim = 0;
  std::int64_t qk_rope_dim = 0;
  /// Tokens a query can look back at; 0 = the whole context. Caps the cache as well, except where
  /// `cache_entries_per_token` is below 1: there the window holds the recent tokens uncompressed,
  /// beside the compressed entries of the whole context.
  std::int64_t window = 0;
  /// Windows are aligned chunks (Llama 4) instead of sliding: the mean look-back is half of it.
  bool chunked = false;
  /// Cache entries kept per token (compressed attention keeps fewer than one); 1 = all.
  double cache_entries_per_token = 1.0;
  /// Tokens actually attended to after sparse selection (DSA); 0 = all of the context.
  std::int64_t sparse_top_k = 0;
  std::int64_t index_heads = 0;        ///< Heads of the indexer that makes the selection.
  std::int64_t index_dim = 0;          ///< Width of one of its heads.
  std::int64_t index_cache_bytes = 0;  ///< Its key per cache entry, bytes, as engines store it.
  std::int64_t state_bytes = 0;        ///< Constant state per sequence (Linear), bytes.
  std::int64_t parameters_other =
      0;  ///< Parameters beyond the projections (indexer, convolutions, biases, q/k norms).
  /// All parameters of a Linear layer's mixer; 0 with no state = the layer mixes nothing (a lone
  /// feed-forward block).
  std::int64_t parameters_linear_mixer = 0;
};

/// The feed-forward part of a layer: a dense block, routed experts with or without shared ones,
/// both side by side (Gemma 4), or nothing (a lone mixer of Nemotron-H).
struct FeedForward {
  std::int64_t dense_intermediate = 0;  ///< > 0: a dense gated block of this width stands here.
  std::int64_t matrices = 3;            ///< Weight matrices of a block: 3 gated (SwiGLU), 2 plain.
  std::int64_t routed_experts = 0;      ///< > 0: this is an MoE layer.
  std::int64_t expert_intermediate = 0;
  /// Width of a routed expert's input and output; 0 = the model's hidden size. Narrower experts
  /// (Nemotron 3 Super) stand between two projections, hidden -> expert_hidden -> hidden.
  std::int64_t expert_hidden = 0;
  std::int64_t expert_parameters_other = 0;  ///< Biases of one routed expert.
  std::int64_t shared_experts = 0;
  std::int64_t shared_intermediate = 0;  ///< Width of one shared expert.
  std::int64_t top_k = 0;
  std::int64_t groups = 1;            ///< Expert groups of group-limited routing (DeepSeek-V3: 8).
  std::int64_t top_groups = 1;        ///< Groups a token may use (DeepSeek-V3: 4).
  std::int64_t parameters_other = 0;  ///< Routing bias, gate of the shared expert, biases.
  [[nodiscard]] bool is_moe() const { return routed_experts > 0; }
};

struct LayerKind {
  Attention attention;
  FeedForward feed_forward;
  std::int64_t norm_parameters = 0;  ///< Norms of the layer.
  std::string name = {};             ///< "dense", "moe", "window"; unique within the model.
};

/// `count` layers of one kind in a row.
struct LayerRun {
  std::int32_t kind = 0;  ///< Index into Model::kinds.
  std::int32_t count = 0;
};

/// What the licence of the weights asks. Not legal advice.
struct Licence {
  std::string name;
  std::int64_t monthly_users_threshold =
      0;                       ///< 0 = none. Exceeding it (strictly) triggers the duty.
  std::string commercial_use;  ///< yes | conditional | no
  bool eu_restricted = false;
  std::string outputs_may_train_others;  ///< yes | no | yes_with_name
  std::string basis;
  std::string note;
};

struct Model {
  std::string name;
  std::vector<std::string> aliases;
  std::string family;
  std::int64_t hidden = 0;
  std::int64_t vocabulary = 0;
  bool tied_embeddings = false;
  std::vector<LayerKind> kinds;
  std::vector<LayerRun> runs;  ///< The layers in order.
  std::int64_t mtp_modules = 0;
  std::int64_t mtp_parameters = 0;  ///< Unique parameters of all MTP modules together.
  /// Parameters the checkpoint stores again for the MTP modules (DeepSeek-V3: embedding and head);
  /// in memory they are shared.
  std::int64_t mtp_copied_parameters = 0;
  std::int64_t parameters_vision = 0;  ///< Vision tower and projector: no text token touches them.
  std::int64_t parameters_other = 0;   ///< Beyond layers, embedding, head and the final norm.
  std::int64_t context_length = 0;     ///< Tokens.
  std::string native_precision;        ///< Name of a Precision of the catalog.
  std::string routing;  ///< Words of the publisher: "sigmoid noaux_tc group-limited".
  double published_total_parameters = 0;  ///< As printed by the publisher; never computed with.
  double published_active_parameters = 0;
  Licence licence;
  std::string source;
  std::string note;

  [[nodiscard]] std::int64_t layers() const;
  [[nodiscard]] std::int64_t moe_layers() const;
  /// Kind of layer `index`, counted from 0. Precondition: 0 <= index < layers().
  [[nodiscard]] const LayerKind& layer(std::int64_t index) const;
  [[nodiscard]] bool is_moe() const { return moe_layers() > 0; }
};

}  // namespace moesim::catalog
