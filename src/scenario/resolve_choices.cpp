// Choices of the deployment by the engine's own names, and how requests are given to ranks.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "scenario/resolver.h"

namespace moesim::scenario {
namespace {

using google::protobuf::FieldDescriptor;

/// Text fields of the deployment that some engine has choices for, by number: finer choices come
/// first.
std::vector<const FieldDescriptor*> choice_fields(const std::vector<catalog::Engine>& engines) {
  std::vector<const FieldDescriptor*> fields;
  const google::protobuf::Descriptor& type = *proto::Deployment::descriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const bool chosen =
        std::any_of(engines.begin(), engines.end(), [&](const catalog::Engine& engine) {
          return std::any_of(
              engine.choices.begin(), engine.choices.end(),
              [&](const catalog::EngineChoice& c) { return c.name == type.field(i)->name(); });
        });
    if (chosen) fields.push_back(type.field(i));
  }
  std::sort(fields.begin(), fields.end(), [](const FieldDescriptor* a, const FieldDescriptor* b) {
    return a->number() < b->number();
  });
  return fields;
}

}  // namespace

void Resolver::resolve_engine_choices(proto::Deployment& deployment) {
  const google::protobuf::Reflection& fields = *deployment.GetReflection();
  const catalog::Engine& engine = scenario_.deployment.engine;
  std::vector<const FieldDescriptor*> chosen;
  for (const FieldDescriptor* own : choice_fields(catalog_.engines)) {
    if (!fields.HasField(deployment, own)) continue;
    const std::string written = fields.GetString(deployment, own);
    const std::string path = "deployment." + own->name();
    fields.ClearField(&deployment, own);
    std::vector<std::string> values;
    const catalog::EngineChoice* choice = nullptr;
    for (const catalog::EngineChoice& known : engine.choices) {
      if (known.name != own->name()) continue;
      values.push_back(known.value);
      if (known.value == written) choice = &known;
    }
    if (values.empty()) {
      error(path, fmt::format("is no setting of {}", engine.name),
            "leave it out, or choose an engine that has it: moesim catalog list engines");
      continue;
    }
    if (choice == nullptr) {
      error(path, fmt::format("expected {}, got {}", fmt::join(values, ", "), shown(written)));
      continue;
    }
    const FieldDescriptor* common = deployment.GetDescriptor()->FindFieldByName(choice->field);
    const auto* means = common->enum_type()->FindValueByName(choice->means);
    // The engine's default beside a finer choice ("deepep", and its mode) adds nothing.
    const bool finer = std::find(chosen.begin(), chosen.end(), common) != chosen.end();
    if (finer && means->number() == 0) continue;
    if (fields.HasField(deployment, common)) {
      error(path, fmt::format("is {}, which is given too", common->name()),
            "leave one of them out");
      continue;
    }
    fields.SetEnum(&deployment, common, means);
    chosen.push_back(common);
  }
}

void Resolver::resolve_router(proto::Deployment& deployment) {
  serving::Deployment& d = scenario_.deployment;
  if (!deployment.has_router()) {
    proto::Deployment::Router router = proto::Deployment::LEAST_LOAD;
    if (d.layout.dp > 1) {
      (void)proto::Deployment::Router_Parse(d.engine.attention_dp_router, &router);
    }
    deployment.set_router(router);
  }
  switch (deployment.router()) {
    case proto::Deployment::ROUND_ROBIN:
      d.router = serving::RouterPolicy::RoundRobin;
      break;
    case proto::Deployment::PREFIX_AWARE:
      d.router = serving::RouterPolicy::PrefixAware;
      break;
    case proto::Deployment::LEAST_TOKENS:
      d.router = serving::RouterPolicy::LeastTokens;
      break;
    case proto::Deployment::LEAST_WAITING:
      d.router = serving::RouterPolicy::LeastWaiting;
      break;
    default:
      d.router = serving::RouterPolicy::LeastLoad;
  }
  if (d.router == serving::RouterPolicy::PrefixAware && !d.scheduler.prefix_cache.enabled) {
    error("deployment.router", "PREFIX_AWARE does not go with enable_prefix_caching: false",
          "set it to true, or use LEAST_LOAD");
  }
}

}  // namespace moesim::scenario
