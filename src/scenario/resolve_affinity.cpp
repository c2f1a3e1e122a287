// Which experts a scenario's tokens use together: a preset or parameters, and the size of the bank.
#include <fmt/format.h>

#include <algorithm>

#include "routing/affinity_model.h"
#include "scenario/outline.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"

namespace moesim::scenario {
namespace {

constexpr const char* kDefaultPreset = "deepseek_v2_lite_traces";
constexpr std::int64_t kMostBankTokens = 262'144;
/// Experts of all tokens and layers of a bank: 256 MB.
constexpr std::int64_t kMostBankEntries = std::int64_t{1} << 27;

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const routing::AffinityPreset& preset : routing::affinity_presets()) {
    names.emplace_back(preset.name);
  }
  return names;
}

/// Parameters with what is absent taken from `result`, written back into the message.
void resolve_parameters(proto::AffinityParameters& message, Findings& findings,
                        routing::AffinityParameters& result) {
  const std::string path = "experts.affinity.parameters.";
  const auto count = [&](bool given, std::int64_t value, std::int64_t by_default, const char* field,
                         std::int64_t most) {
    return given ? checked_count(findings, path + field, value, 1, most) : by_default;
  };
  result.dimensions = count(message.has_dimensions(), message.dimensions(), result.dimensions,
                            "dimensions", routing::kMostDimensions);
  result.classes = count(message.has_classes(), message.classes(), result.classes, "classes",
                         routing::kMostClasses);
  result.topics =
      count(message.has_topics(), message.topics(), result.topics, "topics", routing::kMostTopics);
  result.request_tokens =
      count(message.has_request_tokens(), message.request_tokens(), result.request_tokens,
            "request_tokens", routing::kMostRequestTokens);
  if (message.has_strength()) {
    result.strength = checked_real(findings, path + "strength", message.strength(), 0.0,
                                   LowEnd::Included, routing::kMostStrength);
  }
  if (message.has_topic_share()) {
    result.topic_share = checked_real(findings, path + "topic_share", message.topic_share(), 0.0,
                                      LowEnd::Included, 1.0);
  }
  message.set_dimensions(result.dimensions);
  message.set_strength(result.strength);
  message.set_topic_share(result.topic_share);
  message.set_classes(result.classes);
  message.set_topics(result.topics);
  message.set_request_tokens(result.request_tokens);
}

}  // namespace

void Resolver::resolve_affinity(proto::ExpertAffinity& affinity,
                                const routing::RoutingShape& shape) {
  const std::string path = "experts.affinity";
  serving::AffinitySettings settings;
  if (affinity.kind_case() == proto::ExpertAffinity::KIND_NOT_SET) {
    affinity.set_preset(kDefaultPreset);
  }
  if (affinity.has_parameters()) {
    settings.parameters = routing::find_affinity_preset(kDefaultPreset)->parameters;
    resolve_parameters(*affinity.mutable_parameters(), findings_, settings.parameters);
  } else {
    const auto preset = routing::find_affinity_preset(affinity.preset());
    if (!preset) {
      error(path + ".preset",
            fmt::format("expected {}, got {}", alternatives(preset_names()),
                        shown(affinity.preset())),
            did_you_mean(affinity.preset(), preset_names()));
      return;
    }
    settings.parameters = preset->parameters;
    if (preset->parameters.strength > 0.0) {
      note(
          fmt::format("affinity between experts {} was fitted to DeepSeek-V2-Lite; for {} it is an "
                      "estimate",
                      preset->name, scenario_.deployment.model.name));
    }
  }
  if (!affinity.has_bank_tokens()) affinity.set_bank_tokens(settings.bank_tokens);
  settings.bank_tokens = checked_count(findings_, path + ".bank_tokens", affinity.bank_tokens(),
                                       1024, kMostBankTokens);
  const std::int64_t entries = shape.moe_layers * shape.top_k;
  if (settings.bank_tokens > kMostBankEntries / std::max<std::int64_t>(entries, 1)) {
    error(path + ".bank_tokens",
          fmt::format("{} tokens with {} experts each in {} layers are more than a bank holds",
                      settings.bank_tokens, shape.top_k, shape.moe_layers),
          fmt::format("use at most {}", kMostBankEntries / entries));
  }
  scenario_.deployment.experts.affinity = settings;
}

}  // namespace moesim::scenario
