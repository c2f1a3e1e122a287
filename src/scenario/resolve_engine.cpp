// What the engine of a deployment calls its settings, and what it is documented not to support.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "scenario/quantity_field.h"
#include "scenario/resolver.h"

namespace moesim::scenario {
namespace {

using catalog::SchedulerSetting;
using google::protobuf::FieldDescriptor;

/// The common name of a setting: a field of the same message.
const char* common_name(SchedulerSetting setting) {
  switch (setting) {
    case SchedulerSetting::MaxSequences:
      return "max_num_seqs";
    case SchedulerSetting::BatchedTokens:
      return "max_num_batched_tokens";
    case SchedulerSetting::MemoryShare:
      return "gpu_memory_utilization";
    case SchedulerSetting::BlockSize:
      return "block_size";
  }
  return "max_num_seqs";
}

/// The setting `name` stands for with this engine; null: none of its own.
const catalog::SettingName* own_setting(const catalog::Engine& engine, const std::string& name) {
  const auto at =
      std::find_if(engine.settings.begin(), engine.settings.end(),
                   [&](const catalog::SettingName& known) { return known.name == name; });
  return at == engine.settings.end() ? nullptr : &*at;
}

/// What this engine calls the same: its own name, else the common one.
std::string name_with(const catalog::Engine& engine, SchedulerSetting means) {
  for (const catalog::SettingName& known : engine.settings) {
    if (known.means == means) return known.name;
  }
  return common_name(means);
}

/// Moves a field of the message to another of the same type, and clears it.
void move_field(google::protobuf::Message& message, const FieldDescriptor& from,
                const FieldDescriptor& to) {
  const google::protobuf::Reflection& fields = *message.GetReflection();
  if (from.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE) {
    fields.SetDouble(&message, &to, fields.GetDouble(message, &from));
  } else {
    fields.SetInt64(&message, &to, fields.GetInt64(message, &from));
  }
  fields.ClearField(&message, &from);
}

bool is_gguf(const std::string& format) {
  return format.starts_with("Q") || format.starts_with("IQ") || format.starts_with("mxfp4") ||
         format == "bf16" || format == "fp32";
}

/// The family of models that `support` of engines speaks of; empty: none.
std::string support_family(const catalog::Model& model) {
  if (model.family == "llama" && model.name.starts_with("Llama-3")) return "llama_3";
  if (model.family == "mistral") return "mistral";
  if (model.name.starts_with("DeepSeek-V3") || model.name.starts_with("DeepSeek-R1")) {
    return "deepseek_v3";
  }
  return "";
}

bool lists(const std::vector<std::string>& words, const std::string& word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

void Resolver::resolve_engine_settings(proto::Scheduler& scheduler) {
  const catalog::Engine& engine = scenario_.deployment.engine;
  const google::protobuf::Descriptor& type = *proto::Scheduler::descriptor();
  const google::protobuf::Reflection& fields = *scheduler.GetReflection();
  const std::string path = "deployment.scheduler.";
  for (const catalog::Engine& known : catalog_.engines) {
    for (const catalog::SettingName& setting : known.settings) {
      const FieldDescriptor* from = type.FindFieldByName(setting.name);
      if (from == nullptr || !fields.HasField(scheduler, from)) continue;
      const catalog::SettingName* own = own_setting(engine, setting.name);
      if (own == nullptr) {
        error(path + setting.name,
              fmt::format("is a setting of {}, the engine is {}", known.name, engine.name),
              fmt::format("{} calls it {}", engine.name, name_with(engine, setting.means)));
        fields.ClearField(&scheduler, from);
        continue;
      }
      const FieldDescriptor* to = type.FindFieldByName(common_name(own->means));
      if (fields.HasField(scheduler, to)) {
        error(path + setting.name, fmt::format("is {}, which is given too", to->name()),
              "leave one of them out");
        fields.ClearField(&scheduler, from);
        continue;
      }
      move_field(scheduler, *from, *to);
    }
  }
}

/// A refusal needs a source that says no; what nobody checked is noted.
void Resolver::check_engine_support() {
  const serving::Deployment& d = scenario_.deployment;
  if (!has_model_ || !has_layout_) return;
  const std::string family = support_family(d.model);
  const auto at = std::find_if(
      d.engine.families.begin(), d.engine.families.end(),
      [&](const catalog::EngineSupport& s) { return s.family == family || s.family == "any"; });
  if (at == d.engine.families.end()) return;
  const catalog::EngineSupport& support = *at;
  const std::string because = support.source + (support.note.empty() ? "" : "; " + support.note);
  if (support.status == catalog::Support::No) {
    error("deployment.engine",
          fmt::format("{} does not run {}: {}", d.engine.name, d.model.name, because),
          "choose another engine: moesim catalog list engines");
    return;
  }
  if (support.status == catalog::Support::Unknown) {
    note(fmt::format("not verified: that {} runs {} ({})", d.engine.name, d.model.name, because));
  }
  if (support.gguf_only && !d.precision.name.empty() && !is_gguf(d.precision.name)) {
    error("deployment.precision",
          fmt::format("{} reads GGUF files, of which {} is no format: {}", d.engine.name,
                      d.precision.name, because),
          "use Q4_K_M, Q8_0 or bf16, or another engine");
  }
  const std::array<std::pair<const char*, std::int64_t>, 4> degrees = {
      {{"TP", d.layout.tp}, {"PP", d.layout.pp}, {"DP", d.layout.dp}, {"EP", d.layout.ep}}};
  for (const auto& [word, degree] : degrees) {
    if (degree == 1) continue;
    std::string field(word);
    std::transform(field.begin(), field.end(), field.begin(),
                   [](char c) { return static_cast<char>(c - 'A' + 'a'); });
    if (lists(support.refuses, word)) {
      error("deployment." + field,
            fmt::format("{} does not support {} for {}, got {}: {}", d.engine.name, word,
                        d.model.name, degree, because),
            fmt::format("set {} to 1 or choose another engine", field));
    } else if (!support.parallelism.empty() && !lists(support.parallelism, word)) {
      note(fmt::format("not verified: that {} runs {} with {} ({})", d.engine.name, d.model.name,
                       word, support.source));
    }
  }
}

}  // namespace moesim::scenario
