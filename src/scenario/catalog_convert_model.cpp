#include <algorithm>
#include <cmath>
#include <variant>

#include "catalog/parameters.h"
#include "core/text.h"
#include "scenario/catalog_convert.h"
#include "scenario/catalog_layers.h"

namespace moesim::scenario {
namespace {

// Bounds keep every product of shapes within 64 bits; see check_size() for the whole model.
constexpr std::int64_t kMaxHidden = std::int64_t{1} << 18;
constexpr std::int64_t kMaxHeads = std::int64_t{1} << 12;
constexpr std::int64_t kMaxHeadDim = std::int64_t{1} << 14;
constexpr std::int64_t kMaxRank = std::int64_t{1} << 16;
constexpr std::int64_t kMaxWidth = std::int64_t{1} << 20;
constexpr std::int64_t kMaxExperts = std::int64_t{1} << 14;
constexpr std::int64_t kMaxTokens = std::int64_t{1} << 40;
constexpr std::int64_t kMaxParameters = std::int64_t{1} << 50;

void read_softmax_shape(const MessageScope& scope, catalog::Attention& a) {
  a.heads = scope.required_number("heads", 1, kMaxHeads);
  a.kv_heads = scope.required_number("kv_heads", 1, kMaxHeads);
  a.head_dim = scope.required_number("head_dim", 1, kMaxHeadDim);
  a.v_head_dim = scope.number("v_head_dim", a.head_dim, 1, kMaxHeadDim);
  if (a.heads % a.kv_heads != 0) {
    scope.error("kv_heads",
                "is " + std::to_string(a.kv_heads) + ", which does not divide " +
                    std::to_string(a.heads) + " heads",
                "give a divisor of the heads");
  }
  if (a.shared_kv && a.v_head_dim != a.head_dim) {
    scope.error("v_head_dim", "differs from head_dim although shared_kv is set", "remove one");
  }
}

void read_latent_shape(const MessageScope& scope, catalog::Attention& a) {
  a.heads = scope.required_number("heads", 1, kMaxHeads);
  a.kv_heads = scope.number("kv_heads", a.heads, 1, kMaxHeads);
  a.kv_lora_rank = scope.required_number("kv_lora_rank", 1, kMaxRank);
  a.qk_nope_dim = scope.required_number("qk_nope_dim", 1, kMaxHeadDim / 2);
  a.qk_rope_dim = scope.required_number("qk_rope_dim", 1, kMaxHeadDim / 2);
  a.v_head_dim = scope.required_number("v_head_dim", 1, kMaxHeadDim);
  const std::int64_t sum = a.qk_nope_dim + a.qk_rope_dim;
  a.head_dim = scope.number("head_dim", sum, 1, kMaxHeadDim);
  if (a.head_dim != sum) {
    scope.error("head_dim", "is not qk_nope_dim + qk_rope_dim = " + std::to_string(sum),
                "remove it");
  }
}

std::int64_t read_bytes(const MessageScope& scope, const char* field) {
  constexpr QuantityRange kRange{"1 B", LowEnd::Included, "1 TB"};
  return std::llround(scope.quantity<Bytes>(field, parse_bytes, kRange) / kByte);
}

/// Fields of other kinds of attention than this one are refused, not ignored.
void refuse_foreign(const MessageScope& scope, catalog::AttentionKind kind) {
  const auto refuse = [&](std::initializer_list<const char*> fields, const char* owner) {
    for (const char* field : fields) {
      if (scope.has(field)) scope.error(field, std::string("is only for ") + owner, "remove it");
    }
  };
  const bool softmax = kind == catalog::AttentionKind::Gqa || kind == catalog::AttentionKind::Cross;
  if (kind != catalog::AttentionKind::Mla) {
    refuse({"kv_lora_rank", "qk_nope_dim", "qk_rope_dim"}, "MLA");
  }
  if (!softmax) refuse({"shared_kv", "output_gate", "o_lora_rank", "o_groups"}, "GQA and CROSS");
  if (kind == catalog::AttentionKind::Linear) {
    refuse({"heads", "kv_heads", "head_dim", "v_head_dim", "q_lora_rank", "window", "chunked",
            "cache_entries_per_token", "sparse_top_k", "index_heads", "index_dim", "index_cache"},
           "softmax attention");
  } else {
    refuse({"state", "mixer_parameters"}, "LINEAR");
  }
}

catalog::Attention convert_attention(const proto::Attention& message, const MessageScope& scope) {
  catalog::Attention a;
  a.shared_kv = scope.flag("shared_kv");
  a.output_gate = scope.flag("output_gate");
  switch (message.kind()) {
    case proto::Attention::GQA:
      a.kind = catalog::AttentionKind::Gqa;
      read_softmax_shape(scope, a);
      break;
    case proto::Attention::CROSS:
      a.kind = catalog::AttentionKind::Cross;
      read_softmax_shape(scope, a);
      break;
    case proto::Attention::MLA:
      a.kind = catalog::AttentionKind::Mla;
      read_latent_shape(scope, a);
      break;
    case proto::Attention::LINEAR:
      a.kind = catalog::AttentionKind::Linear;
      break;
    default:
      scope.error("", "has no kind", "give GQA, MLA, LINEAR or CROSS");
      return a;
  }
  refuse_foreign(scope, a.kind);
  a.q_lora_rank = scope.number("q_lora_rank", 0, 0, kMaxRank);
  a.o_lora_rank = scope.number("o_lora_rank", 0, 0, kMaxRank);
  a.o_groups = scope.number("o_groups", 1, 1, kMaxHeads);
  a.window = scope.number("window", 0, 0, kMaxTokens);
  a.chunked = scope.flag("chunked");
  a.cache_entries_per_token =
      scope.real("cache_entries_per_token", 1.0, 1e-4, 1.0, LowEnd::Included);
  a.sparse_top_k = scope.number("sparse_top_k", 0, 0, kMaxTokens);
  a.index_heads = scope.number("index_heads", 0, 0, kMaxHeads);
  a.index_dim = scope.number("index_dim", 0, 0, kMaxHeadDim);
  a.index_cache_bytes = read_bytes(scope, "index_cache");
  a.state_bytes = read_bytes(scope, "state");
  a.parameters_linear_mixer = scope.number("mixer_parameters", 0, 0, kMaxParameters);
  a.parameters_other = scope.number("parameters_other", 0, 0, kMaxParameters);
  if (a.chunked && a.window == 0) scope.error("chunked", "needs a window", "give window");
  return a;
}

catalog::FeedForward convert_feed_forward(const MessageScope& scope) {
  catalog::FeedForward f;
  f.dense_intermediate = scope.number("dense", 0, 0, kMaxWidth);
  f.matrices = scope.number("matrices", 3, 1, 4);
  f.routed_experts = scope.number("routed_experts", 0, 0, kMaxExperts);
  f.parameters_other = scope.number("parameters_other", 0, 0, kMaxParameters);
  if (!f.is_moe()) {
    for (const char* field : {"expert", "top_k", "expert_hidden", "expert_parameters_other",
                              "shared_experts", "shared", "groups", "top_groups"}) {
      if (scope.has(field)) scope.error(field, "needs routed_experts", "give routed_experts");
    }
    if (f.dense_intermediate == 0) {
      scope.error("", "has neither dense nor routed_experts",
                  "give one, or leave the whole feed_forward out");
    }
    return f;
  }
  f.expert_intermediate = scope.required_number("expert", 1, kMaxWidth);
  f.top_k = scope.required_number("top_k", 1, kMaxExperts);
  f.expert_hidden = scope.number("expert_hidden", 0, 0, kMaxHidden);
  f.expert_parameters_other = scope.number("expert_parameters_other", 0, 0, kMaxWidth);
  f.shared_experts = scope.number("shared_experts", 0, 0, 64);
  if (f.shared_experts > 0) {
    f.shared_intermediate = scope.number("shared", f.expert_intermediate, 1, kMaxWidth);
  } else if (scope.has("shared")) {
    scope.error("shared", "needs shared_experts", "give shared_experts");
  }
  f.groups = scope.number("groups", 1, 1, f.routed_experts);
  f.top_groups = scope.number("top_groups", 1, 1, f.groups);
  if (f.top_k > f.routed_experts) {
    scope.error("top_k", "is above routed_experts", "a token cannot choose more than there are");
  }
  if (f.routed_experts % f.groups != 0) {
    scope.error("groups", "does not divide routed_experts", "give a divisor");
  } else if (f.top_k > f.top_groups * (f.routed_experts / f.groups)) {
    scope.error("top_k", "is above the experts of top_groups groups", "raise top_groups");
  }
  return f;
}

catalog::LayerKind convert_kind(const proto::LayerKind& message, const MessageScope& scope,
                                std::int64_t hidden) {
  catalog::LayerKind kind;
  kind.name = scope.required_text("name");
  if (message.has_attention()) {
    kind.attention = convert_attention(message.attention(),
                                       MessageScope(scope, message.attention(), "attention"));
  } else {
    scope.error("", "has no attention", "add it; a layer without mixer has kind LINEAR");
  }
  if (message.has_feed_forward()) {
    kind.feed_forward =
        convert_feed_forward(MessageScope(scope, message.feed_forward(), "feed_forward"));
  }
  std::int64_t norms = 2 * hidden;
  if (kind.attention.kind == catalog::AttentionKind::Mla) {
    norms += kind.attention.q_lora_rank + kind.attention.kv_lora_rank;
  }
  kind.norm_parameters = scope.number("norm_parameters", norms, 0, kMaxWidth);
  return kind;
}

catalog::Licence convert_licence(const MessageScope& scope) {
  const auto one_of = [&](const char* field, std::initializer_list<const char*> values) {
    std::string value = scope.text(field);
    if (std::find(values.begin(), values.end(), value) == values.end()) {
      std::string hint = "give one of";
      for (const char* v : values) hint += std::string(" \"") + v + "\"";
      scope.error(field, "is \"" + value + "\"", hint);
    }
    return value;
  };
  return {.name = scope.required_text("name"),
          .monthly_users_threshold = scope.number("monthly_users_threshold", 0, 0, kMaxTokens),
          .commercial_use = one_of("commercial_use", {"yes", "conditional", "no"}),
          .eu_restricted = scope.flag("eu_restricted"),
          .outputs_may_train_others =
              one_of("outputs_may_train_others", {"yes", "no", "yes_with_name"}),
          .basis = scope.text("basis"),
          .note = scope.text("note")};
}

void read_layers(const MessageScope& scope, catalog::Model& model) {
  std::vector<std::string> names;
  for (const catalog::LayerKind& kind : model.kinds) names.push_back(kind.name);
  const std::string text = scope.required_text("layers");
  if (text.empty()) return;
  auto parsed = parse_layers(text, names);
  if (const auto* problem = std::get_if<LayerPatternError>(&parsed)) {
    scope.error("layers", problem->message, problem->hint);
    return;
  }
  model.runs = std::get<std::vector<catalog::LayerRun>>(std::move(parsed));
  std::vector<bool> used(names.size(), false);
  for (const catalog::LayerRun& run : model.runs) used[static_cast<std::size_t>(run.kind)] = true;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!used[i]) scope.error("layers", "never uses kind \"" + names[i] + "\"", "use or remove it");
    if (std::count(names.begin(), names.end(), names[i]) > 1) {
      scope.error("kind", "has two entries named \"" + names[i] + "\"", "rename one");
    }
  }
}

/// Refuses what could overflow 64-bit counts later.
void check_size(const MessageScope& scope, const catalog::Model& model) {
  double total = static_cast<double>(model.vocabulary) * static_cast<double>(model.hidden) * 2.0;
  for (const catalog::LayerRun& run : model.runs) {
    const catalog::LayerKind& kind = model.kinds[static_cast<std::size_t>(run.kind)];
    const catalog::LayerParameters layer = catalog::layer_parameters(model, kind);
    const double experts =
        static_cast<double>(layer.routed_expert) * static_cast<double>(layer.routed_expert_count);
    total += run.count * (static_cast<double>(layer.attention() + layer.dense_ffn + layer.router +
                                              layer.shared_experts) +
                          experts);
  }
  if (total > 1e15) {
    scope.error("", "has " + format_number(total) + " parameters", "at most 1e15 are accepted");
  }
}

}  // namespace

catalog::Model convert_model(const proto::Model& message, const MessageScope& scope) {
  catalog::Model model;
  model.name = scope.required_text("name");
  model.aliases = scope.texts("alias");
  model.family = scope.text("family");
  model.hidden = scope.required_number("hidden", 1, kMaxHidden);
  model.vocabulary = scope.required_number("vocabulary", 1, std::int64_t{1} << 26);
  model.tied_embeddings = scope.flag("tied_embeddings");
  for (int i = 0; i < message.kind_size(); ++i) {
    model.kinds.push_back(convert_kind(
        message.kind(i), MessageScope(scope, message.kind(i), "kind", i), model.hidden));
  }
  read_layers(scope, model);
  model.mtp_modules = scope.number("mtp_modules", 0, 0, 64);
  model.mtp_parameters = scope.number("mtp_parameters", 0, 0, kMaxParameters);
  model.mtp_copied_parameters = scope.number("mtp_copied_parameters", 0, 0, kMaxParameters);
  model.parameters_vision = scope.number("parameters_vision", 0, 0, kMaxParameters);
  model.parameters_other = scope.number("parameters_other", 0, 0, kMaxParameters);
  model.context_length = scope.required_number("context_length", 1, kMaxTokens);
  model.native_precision =
      message.has_native_precision() ? scope.required_text("native_precision") : "bf16";
  model.routing = scope.text("routing");
  model.published_total_parameters = scope.real("published_total_parameters", 0.0, 0.0, 1e18);
  model.published_active_parameters = scope.real("published_active_parameters", 0.0, 0.0, 1e18);
  if (message.has_licence()) {
    model.licence = convert_licence(MessageScope(scope, message.licence(), "licence"));
  }
  model.source = scope.required_text("source");
  model.note = scope.text("note");
  check_size(scope, model);
  return model;
}

}  // namespace moesim::scenario
