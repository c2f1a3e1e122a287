// Kinds of requests, and who is served first.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "scenario/outline.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"
#include "scenario/workload_convert.h"

namespace moesim::scenario {
namespace {

constexpr int kMostClasses = 16;
constexpr std::size_t kLongestName = 40;
constexpr std::int64_t kMostPriority = 1'000'000;

std::vector<std::string> engines_by_priority(const catalog::Catalog& catalog) {
  std::vector<std::string> names;
  for (const catalog::Engine& engine : catalog.engines) {
    if (engine.scheduling.priority) names.push_back(engine.name);
  }
  return names;
}

}  // namespace

void Resolver::resolve_scheduling_policy(proto::Scheduler& scheduler) {
  if (!scheduler.has_scheduling_policy()) scheduler.set_scheduling_policy(proto::Scheduler::FCFS);
  if (scheduler.scheduling_policy() == proto::Scheduler::FCFS) return;
  serving::Deployment& d = scenario_.deployment;
  d.scheduler.policy = serving::SchedulingPolicy::Priority;
  const std::string path = "deployment.scheduler.scheduling_policy";
  if (!d.engine.scheduling.priority && !findings_.any_at("deployment.engine")) {
    error(path, fmt::format("{} does not serve by priority", d.engine.name),
          "write FCFS, or an engine that does: " + alternatives(engines_by_priority(catalog_)));
  }
}

void Resolver::lengths_of_classes(const proto::Workload& workload, workload::WorkloadModel& model) {
  if (workload.classes_size() == 0) return;
  const auto& classes = workload.classes();
  const proto::RequestClass& first = classes[0];
  if (!model.input && std::all_of(classes.begin(), classes.end(),
                                  [](const proto::RequestClass& c) { return c.has_input(); })) {
    model.input = convert_length(first.input(), "workload.classes[0].input", findings_);
  }
  if (!model.output && std::all_of(classes.begin(), classes.end(),
                                   [](const proto::RequestClass& c) { return c.has_output(); })) {
    model.output = convert_length(first.output(), "workload.classes[0].output", findings_);
  }
}

void Resolver::resolve_class(proto::RequestClass& message, const std::string& path) {
  WorkloadSettings& settings = scenario_.workload;
  const auto below = [&](const char* name) { return join_path(path, name); };
  if (message.name().empty()) {
    findings_.missing(below("name"), "is missing", "call it something, as in name: \"batch\"");
  }
  check_printable(message.name(), below("name").c_str(), findings_);
  if (message.name().size() > kLongestName) {
    error(below("name"),
          fmt::format("has {} bytes, at most {}", message.name().size(), kLongestName));
  }
  for (const serving::ServiceClass& other : settings.classes) {
    if (other.name == message.name()) {
      error(below("name"), "is the name of another class: " + shown(message.name()));
    }
  }
  if (!message.has_priority()) message.set_priority(0);
  serving::ServiceClass served{
      .name = message.name(),
      .priority = static_cast<std::int32_t>(checked_count(
          findings_, below("priority"), message.priority(), -kMostPriority, kMostPriority))};
  if (message.has_slo()) served.slo = convert_slo(message.slo(), findings_, below("slo"));
  workload::RequestClass demand;
  if (message.has_share()) {
    demand.share =
        checked_real(findings_, below("share"), message.share(), 0.0, LowEnd::Excluded, 1e6);
  } else {
    findings_.missing(below("share"), "is missing", "write how many there are, as in share: 1");
  }
  const auto length = [&](bool given, const proto::LengthModel& law, const char* name,
                          std::optional<workload::LengthLaw>& into) {
    if (!given) return;
    if (settings.trace) {
      error(below(name), "does not go with a trace", "the trace has the lengths");
      return;
    }
    into = convert_length(law, below(name), findings_);
  };
  length(message.has_input(), message.input(), "input", demand.input);
  length(message.has_output(), message.output(), "output", demand.output);
  if (settings.model && (demand.input || demand.output)) {
    workload::WorkloadModel own = *settings.model;
    if (demand.input) own.input = demand.input;
    if (demand.output) own.output = demand.output;
    for (Diagnostic& found : workload::check_model(own)) {
      const bool mine = found.field.starts_with("input") || found.field.starts_with("output");
      if (!mine || findings_.any_at(join_path(path, found.field))) continue;
      found.file.clear();
      findings_.add_below(path, std::move(found));
    }
    if (own.input && own.output) check_lengths(*own.input, *own.output);
  }
  settings.classes.push_back(std::move(served));
  settings.class_demand.push_back(std::move(demand));
}

void Resolver::resolve_classes(proto::Workload& workload) {
  const bool by_priority =
      scenario_.deployment.scheduler.policy == serving::SchedulingPolicy::Priority;
  if (workload.classes_size() == 0) {
    if (by_priority) {
      error("deployment.scheduler.scheduling_policy",
            "is PRIORITY, and requests have no priorities", "describe workload.classes");
    }
    return;
  }
  if (workload.classes_size() > kMostClasses) {
    error("workload.classes", fmt::format("{} classes are too many, at most {}",
                                          workload.classes_size(), kMostClasses));
    return;
  }
  bool differ = false;
  for (int i = 0; i < workload.classes_size(); ++i) {
    resolve_class(*workload.mutable_classes(i), fmt::format("workload.classes[{}]", i));
    differ = differ || workload.classes(i).priority() != workload.classes(0).priority();
  }
  if (differ && !by_priority) {
    note("priorities of classes are passed over: scheduling_policy is FCFS");
  }
  scenario_.workload.description += fmt::format(", {} class{}", workload.classes_size(),
                                                workload.classes_size() == 1 ? "" : "es");
}

}  // namespace moesim::scenario
