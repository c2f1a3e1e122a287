// Sessions that a parametric workload generates.
#include <fmt/format.h>

#include <cmath>

#include "core/quantity.h"
#include "core/text.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"

namespace moesim::scenario {
namespace {

constexpr QuantityRange kThinkTime{"0 s", LowEnd::Included, "1 d"};
constexpr std::int64_t kLongestContext = 10'000'000;

}  // namespace

void Resolver::resolve_sessions(proto::Workload& workload) {
  if (!workload.has_sessions()) return;
  const std::string path = "workload.sessions";
  const auto below = [&](const char* field) { return join_path(path, field); };
  WorkloadSettings& settings = scenario_.workload;
  if (workload.has_trace()) {
    error(path, "does not go with a trace", "a trace names its own sessions");
    return;
  }
  if (settings.concurrency > 0) {
    error(path, "does not go with concurrency: users of a closed loop do not pause",
          "write a rate, or leave sessions out");
    return;
  }
  if (workload.has_prefix_reuse()) {
    error(path, "does not go with prefix_reuse: sessions say what their prompts share",
          "write sessions.system_tokens for what all begin with");
  }
  for (int i = 0; i < workload.classes_size(); ++i) {
    if (!workload.classes(i).has_input() && !workload.classes(i).has_output()) continue;
    error(fmt::format("workload.classes[{}]", i),
          "has lengths of its own, which sessions cannot grow", "write input and output of all");
  }
  proto::Sessions& message = *workload.mutable_sessions();
  workload::SessionModel model;
  if (!message.has_turns()) {
    findings_.missing(below("turns"), "is missing", "write the mean number, as in turns: 5");
  } else {
    model.turns = checked_real(findings_, below("turns"), message.turns(), 1.0, LowEnd::Included,
                               static_cast<double>(workload::kMostTurns));
  }
  if (!message.has_turns_law()) message.set_turns_law(proto::Sessions::GEOMETRIC);
  model.fixed_turns = message.turns_law() == proto::Sessions::ALWAYS;
  if (model.fixed_turns && model.turns != std::floor(model.turns)) {
    error(below("turns"), "is no whole number, with turns_law ALWAYS", "round it");
  }
  if (!message.has_think_time()) message.set_think_time("0 s");
  if (const auto pause = checked_quantity<Seconds>(
          findings_, below("think_time"), message.think_time(), parse_seconds, kThinkTime)) {
    model.think_time = *pause;
  }
  if (!message.has_think_time_law()) message.set_think_time_law(proto::Sessions::EXPONENTIAL);
  model.fixed_think = message.think_time_law() == proto::Sessions::CONSTANT;
  if (!message.has_system_tokens()) message.set_system_tokens(0);
  model.system_tokens =
      checked_count(findings_, below("system_tokens"), message.system_tokens(), 0, 1'000'000);
  if (!message.has_max_tokens()) {
    const std::int64_t context = scenario_.deployment.model.context_length;
    message.set_max_tokens(max_model_len_ > 0          ? max_model_len_
                           : has_model_ && context > 0 ? context
                                                       : 1'000'000);
  }
  model.most_tokens =
      checked_count(findings_, below("max_tokens"), message.max_tokens(), 2, kLongestContext);
  if (findings_.any_at(path)) return;
  check_lengths(model.most_tokens - 1, model.most_tokens);
  settings.sessions = model;
  settings.description +=
      fmt::format(", sessions of {} turns, {} s apart", format_number(model.turns),
                  format_number(model.think_time / kSecond));
  if (!scenario_.deployment.scheduler.prefix_cache.enabled) {
    note("turns share prefixes: without enable_prefix_caching every prompt counts as new");
  }
}

}  // namespace moesim::scenario
