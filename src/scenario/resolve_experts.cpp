// Experts of a scenario: popularity, placement, spare copies.
#include <fmt/format.h>

#include <utility>
#include <variant>

#include "interchange/recorded_load.h"
#include "routing/model_shape.h"
#include "routing/popularity.h"
#include "scenario/message_reader.h"
#include "scenario/outline.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"

namespace moesim::scenario {
namespace {

constexpr std::size_t kMaxLoadBytes = std::size_t{64} << 20U;
constexpr const char* kDefaultPreset = "deepseek_v3_decode";

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const routing::PopularityPreset& preset : routing::popularity_presets()) {
    names.emplace_back(preset.name);
  }
  return names;
}

}  // namespace

void Resolver::resolve_popularity(proto::ExpertPopularity& popularity,
                                  const routing::RoutingShape& shape) {
  const std::string path = "experts.popularity";
  routing::Popularity& result = scenario_.deployment.experts.popularity;
  const std::uint64_t seed = scenario_.run.seed;
  switch (popularity.kind_case()) {
    case proto::ExpertPopularity::KIND_NOT_SET:
      popularity.set_preset(kDefaultPreset);
      [[fallthrough]];
    case proto::ExpertPopularity::kPreset: {
      const auto preset = routing::find_popularity_preset(popularity.preset());
      if (!preset) {
        const std::string nearest = did_you_mean(popularity.preset(), preset_names());
        error(path + ".preset",
              fmt::format("expected {}, got {}", alternatives(preset_names()),
                          shown(popularity.preset())),
              nearest);
        return;
      }
      result = routing::lognormal(shape, preset->parameters, seed);
      result.source = fmt::format("preset {}", preset->name);
      if (scenario_.deployment.model.family != "deepseek") {
        note(
            fmt::format("expert popularity {} was measured on DeepSeek-V3; for {} it is an "
                        "estimate",
                        preset->name, scenario_.deployment.model.name));
      }
      return;
    }
    case proto::ExpertPopularity::kLognormalSigma: {
      routing::LognormalParameters parameters;
      parameters.sigma = checked_real(findings_, path + ".lognormal_sigma",
                                      popularity.lognormal_sigma(), 0.0, LowEnd::Included, 5.0);
      result = routing::lognormal(shape, parameters, seed);
      return;
    }
    case proto::ExpertPopularity::kUniform:
      if (!popularity.uniform()) {
        error(path + ".uniform", "false names no popularity", "write true or another kind");
        return;
      }
      result = routing::uniform(shape);
      return;
    case proto::ExpertPopularity::kRecordedFile:
      break;
  }
  if (!may_open(path + ".recorded_file")) return;
  const std::string file = located(popularity.recorded_file());
  try {
    const auto rows =
        interchange::parse_recorded_load(read_file(file, kMaxLoadBytes), file, shape.experts);
    auto recorded = routing::recorded(shape, rows, "recorded " + popularity.recorded_file());
    if (const auto* problems = std::get_if<std::vector<std::string>>(&recorded)) {
      for (const std::string& problem : *problems) error(path + ".recorded_file", problem);
      return;
    }
    result = std::get<routing::Popularity>(std::move(recorded));
    popularity.set_recorded_file(absolute(popularity.recorded_file()));
  } catch (const IoError& problem) {
    error(path + ".recorded_file", problem.what(), "paths start at the folder of this file");
  } catch (const InputError& problem) {
    for (const Diagnostic& diagnostic : problem.diagnostics()) findings_.add(diagnostic);
  }
}

void Resolver::resolve_experts() {
  if (!has_model_) return;
  serving::Deployment& d = scenario_.deployment;
  if (!d.model.is_moe()) {
    if (message_.has_experts()) {
      error("experts", fmt::format("{} has no routed experts", d.model.name), "leave it out");
    }
    return;
  }
  const std::optional<routing::RoutingShape> shape = routing::routing_shape(d.model);
  if (!shape) {
    error(message_.has_inline_model() ? "inline_model" : "model",
          "its routed layers differ in experts, top_k or groups: not modelled yet");
    return;
  }
  proto::Experts& experts = *message_.mutable_experts();
  if (experts.has_routing_trace()) {
    read_routing_trace(experts, *shape);
  } else {
    resolve_popularity(*experts.mutable_popularity(), *shape);
    if (experts.has_drift()) resolve_drift(*experts.mutable_drift());
  }
  resolve_placement(*experts.mutable_placement());
  if (experts.has_affinity()) resolve_affinity(*experts.mutable_affinity(), *shape);
  if (experts.has_rebalancing()) resolve_rebalancing(*experts.mutable_rebalancing());
  if (!experts.has_redundant_experts()) experts.set_redundant_experts(0);
}

}  // namespace moesim::scenario
