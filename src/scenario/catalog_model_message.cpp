#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/check.h"
#include "scenario/catalog_convert.h"
#include "scenario/catalog_layers.h"

namespace moesim::scenario {
namespace {

std::string byte_text(std::int64_t bytes) {
  return bytes == 0 ? std::string{} : format_bytes(static_cast<double>(bytes) * kByte);
}

/// Sets fields of a message unless they have their default, so that the text shows what matters.
class Setter {
 public:
  explicit Setter(google::protobuf::Message& message) : message_(message) {}
  void number(const char* field, std::int64_t value, std::int64_t fallback = 0) const {
    if (value != fallback) reflection().SetInt64(&message_, &descriptor(field), value);
  }
  void real(const char* field, double value, double fallback) const {
    if (value < fallback || value > fallback) {
      reflection().SetDouble(&message_, &descriptor(field), value);
    }
  }
  void text(const char* field, const std::string& value, const char* fallback = "") const {
    if (value != fallback) reflection().SetString(&message_, &descriptor(field), value);
  }
  void flag(const char* field, bool value) const {
    if (value) reflection().SetBool(&message_, &descriptor(field), true);
  }

 private:
  [[nodiscard]] const google::protobuf::Reflection& reflection() const {
    return *message_.GetReflection();
  }
  [[nodiscard]] const google::protobuf::FieldDescriptor& descriptor(const char* field) const {
    const auto* found = message_.GetDescriptor()->FindFieldByName(field);
    MOESIM_CHECK(found != nullptr, "a field is set that the message does not have");
    return *found;
  }
  google::protobuf::Message& message_;
};

proto::Attention::Kind kind_of(catalog::AttentionKind kind) {
  switch (kind) {
    case catalog::AttentionKind::Gqa:
      return proto::Attention::GQA;
    case catalog::AttentionKind::Mla:
      return proto::Attention::MLA;
    case catalog::AttentionKind::Linear:
      return proto::Attention::LINEAR;
    case catalog::AttentionKind::Cross:
      break;
  }
  return proto::Attention::CROSS;
}

void set_attention(const catalog::Attention& a, proto::Attention* out) {
  const Setter set(*out);
  out->set_kind(kind_of(a.kind));
  const bool softmax =
      a.kind == catalog::AttentionKind::Gqa || a.kind == catalog::AttentionKind::Cross;
  set.number("heads", a.heads);
  if (softmax) {
    out->set_kv_heads(a.kv_heads);
    out->set_head_dim(a.head_dim);
    set.number("v_head_dim", a.v_head_dim, a.head_dim);
  } else {
    set.number("v_head_dim", a.v_head_dim);
  }
  set.flag("shared_kv", a.shared_kv);
  set.flag("output_gate", a.output_gate);
  set.number("q_lora_rank", a.q_lora_rank);
  set.number("o_lora_rank", a.o_lora_rank);
  set.number("o_groups", a.o_groups, 1);
  set.number("kv_lora_rank", a.kv_lora_rank);
  set.number("qk_nope_dim", a.qk_nope_dim);
  set.number("qk_rope_dim", a.qk_rope_dim);
  set.number("window", a.window);
  set.flag("chunked", a.chunked);
  set.real("cache_entries_per_token", a.cache_entries_per_token, 1.0);
  set.number("sparse_top_k", a.sparse_top_k);
  set.number("index_heads", a.index_heads);
  set.number("index_dim", a.index_dim);
  set.text("index_cache", byte_text(a.index_cache_bytes));
  set.text("state", byte_text(a.state_bytes));
  set.number("mixer_parameters", a.parameters_linear_mixer);
  set.number("parameters_other", a.parameters_other);
}

void set_feed_forward(const catalog::FeedForward& f, proto::FeedForward* out) {
  const Setter set(*out);
  set.number("dense", f.dense_intermediate);
  set.number("matrices", f.matrices, 3);
  set.number("routed_experts", f.routed_experts);
  set.number("expert", f.expert_intermediate);
  set.number("top_k", f.top_k);
  set.number("expert_hidden", f.expert_hidden);
  set.number("expert_parameters_other", f.expert_parameters_other);
  set.number("shared_experts", f.shared_experts);
  if (f.shared_experts > 0) {
    set.number("shared", f.shared_intermediate, f.expert_intermediate);
  }
  set.number("groups", f.groups, 1);
  set.number("top_groups", f.top_groups, 1);
  set.number("parameters_other", f.parameters_other);
}

void set_kind(const catalog::Model& model, const catalog::LayerKind& kind, proto::LayerKind* out) {
  const Setter set(*out);
  out->set_name(kind.name);
  set_attention(kind.attention, out->mutable_attention());
  if (kind.feed_forward.is_moe() || kind.feed_forward.dense_intermediate > 0) {
    set_feed_forward(kind.feed_forward, out->mutable_feed_forward());
  }
  const bool latent = kind.attention.kind == catalog::AttentionKind::Mla;
  const std::int64_t usual =
      2 * model.hidden +
      (latent ? kind.attention.q_lora_rank + kind.attention.kv_lora_rank : std::int64_t{0});
  set.number("norm_parameters", kind.norm_parameters, usual);
}

void set_licence(const catalog::Licence& licence, proto::Licence* out) {
  const Setter set(*out);
  out->set_name(licence.name);
  set.number("monthly_users_threshold", licence.monthly_users_threshold);
  out->set_commercial_use(licence.commercial_use);
  set.flag("eu_restricted", licence.eu_restricted);
  out->set_outputs_may_train_others(licence.outputs_may_train_others);
  set.text("basis", licence.basis);
  set.text("note", licence.note);
}

}  // namespace

proto::Model model_message(const catalog::Model& model) {
  proto::Model message;
  proto::Model* out = &message;
  const Setter set(message);
  out->set_name(model.name);
  for (const std::string& alias : model.aliases) out->add_alias(alias);
  set.text("family", model.family);
  out->set_hidden(model.hidden);
  out->set_vocabulary(model.vocabulary);
  set.flag("tied_embeddings", model.tied_embeddings);
  std::vector<std::string> names;
  for (const catalog::LayerKind& kind : model.kinds) {
    names.push_back(kind.name);
    set_kind(model, kind, out->add_kind());
  }
  out->set_layers(format_layers(model.runs, names));
  set.number("mtp_modules", model.mtp_modules);
  set.number("mtp_parameters", model.mtp_parameters);
  set.number("mtp_copied_parameters", model.mtp_copied_parameters);
  set.number("parameters_vision", model.parameters_vision);
  set.number("parameters_other", model.parameters_other);
  out->set_context_length(model.context_length);
  set.text("native_precision", model.native_precision, "bf16");
  set.text("routing", model.routing);
  set.real("published_total_parameters", model.published_total_parameters, 0.0);
  set.real("published_active_parameters", model.published_active_parameters, 0.0);
  if (!model.licence.name.empty()) set_licence(model.licence, out->mutable_licence());
  out->set_source(model.source);
  set.text("note", model.note);
  return message;
}

}  // namespace moesim::scenario
