// Units that join and leave: schedule or load target, and how long a unit takes to join.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "plan/memory.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"

namespace moesim::scenario {
namespace {

constexpr int kMostSteps = 1000;
constexpr QuantityRange kCalendarRange{"0 s", LowEnd::Included, "100 d"};
constexpr QuantityRange kPeriodRange{"1 s", LowEnd::Included, "100 d"};
constexpr QuantityRange kStartRange{"0 s", LowEnd::Included, "1 d"};
constexpr QuantityRange kLookRange{"1 s", LowEnd::Included, "1 d"};
const std::string kAutoscaling = "deployment.autoscaling";

}  // namespace

serving::Autoscaling Resolver::resolve_schedule(proto::Autoscaling& autoscaling) {
  serving::Autoscaling settings;
  const std::string path = kAutoscaling + ".schedule";
  if (autoscaling.schedule_size() > kMostSteps) {
    error(path, fmt::format("has {} steps, at most {}", autoscaling.schedule_size(), kMostSteps));
    return settings;
  }
  for (int i = 0; i < autoscaling.schedule_size(); ++i) {
    const proto::ScaleStep& step = autoscaling.schedule(i);
    const std::string here = fmt::format("{}[{}]", path, i);
    if (!step.has_at()) findings_.missing(here + ".at", "is missing", "write at: \"6 h\"");
    if (!step.has_replicas()) findings_.missing(here + ".replicas", "is missing", "say how many");
    if (!step.has_at() || !step.has_replicas()) continue;
    const auto at = checked_quantity<Seconds>(findings_, here + ".at", step.at(), parse_seconds,
                                              kCalendarRange);
    const std::int64_t units = checked_count(findings_, here + ".replicas", step.replicas(), 1,
                                             scenario_.deployment.layout.replicas);
    if (!at) continue;
    const SimTime time = SimTime::from(*at);
    if (i == 0 && time > SimTime{}) {
      error(here + ".at", "is after the start of the run, got " + shown(step.at()),
            "the first step says how many there are at \"0 s\"");
    } else if (!settings.schedule.empty() && time <= settings.schedule.back().at) {
      error(here + ".at", fmt::format("is not after the step before it, got {}", shown(step.at())),
            "write the steps in order");
    }
    settings.schedule.push_back({.at = time, .units = units});
  }
  if (!autoscaling.has_period()) return settings;
  const auto period = checked_quantity<Seconds>(findings_, kAutoscaling + ".period",
                                                autoscaling.period(), parse_seconds, kPeriodRange);
  if (!period) return settings;
  settings.period = SimTime::from(*period);
  if (!settings.schedule.empty() && settings.schedule.back().at >= settings.period) {
    error(kAutoscaling + ".period",
          fmt::format("ends before the last step, got {}", shown(autoscaling.period())),
          "make it longer than the time of the last step");
  }
  return settings;
}

serving::LoadTarget Resolver::resolve_load_target(proto::ScaleByLoad& load) {
  serving::LoadTarget target;
  const std::string path = kAutoscaling + ".load.";
  if (!load.has_metric()) load.set_metric(proto::ScaleByLoad::REQUESTS);
  const bool of_cache = load.metric() == proto::ScaleByLoad::KV_USE;
  if (of_cache) target.metric = serving::LoadMetric::KvUse;
  if (!load.has_target()) {
    findings_.missing(path + "target", "is missing",
                      of_cache ? "write the share of KV blocks in use to aim at, 0.8"
                               : "write the requests of a unit to aim at");
  } else {
    target.target = checked_real(findings_, path + "target", load.target(), 0.0, LowEnd::Excluded,
                                 of_cache ? 1.0 : 1e6);
  }
  if (!load.has_min_replicas()) load.set_min_replicas(1);
  target.least_units = checked_count(findings_, path + "min_replicas", load.min_replicas(), 1,
                                     scenario_.deployment.layout.replicas);
  const auto time = [&](const char* name, const std::string& text, const QuantityRange& range) {
    const auto value =
        checked_quantity<Seconds>(findings_, path + name, text, parse_seconds, range);
    return value ? SimTime::from(*value) : SimTime{};
  };
  if (!load.has_every()) load.set_every("15 s");
  target.every = time("every", load.every(), kLookRange);
  if (!load.has_scale_down_after()) load.set_scale_down_after("300 s");
  target.settle = time("scale_down_after", load.scale_down_after(), kStartRange);
  if (!load.has_tolerance()) load.set_tolerance(0.1);
  target.tolerance =
      checked_real(findings_, path + "tolerance", load.tolerance(), 0.0, LowEnd::Included, 1.0);
  return target;
}

std::optional<Seconds> Resolver::time_to_load(proto::Autoscaling& autoscaling) {
  const serving::Deployment& d = scenario_.deployment;
  const topology::Cluster& c = d.cluster;
  const std::string path = kAutoscaling + ".load_bandwidth";
  if (!autoscaling.has_load_bandwidth()) {
    if (c.nics_per_node == 0 || c.scale_out == topology::ScaleOut::None) {
      findings_.missing(path, "is missing: the nodes have no NICs over which weights could come",
                        "write the rate of what they are loaded from, \"10 GB/s\"");
      return std::nullopt;
    }
    const BytesPerSecond rate =
        static_cast<double>(c.nics_per_node) * c.nic.efficiency * c.nic.bandwidth;
    autoscaling.set_load_bandwidth(format_bandwidth(rate));
  }
  const auto rate = checked_quantity<BytesPerSecond>(findings_, path, autoscaling.load_bandwidth(),
                                                     parse_bandwidth, kBandwidthRange);
  if (!rate) return std::nullopt;
  const plan::MemoryReport memory =
      plan::plan_memory(d.model, d.precision, c.gpu, d.layout, d.memory);
  const std::int64_t unit = d.layout.gpus() / d.layout.replicas;
  const auto of_node = static_cast<double>(std::min(unit, c.gpus_per_node));
  return of_node * memory.per_gpu.weights() / *rate;
}

void Resolver::resolve_autoscaling() {
  if (!message_.deployment().has_autoscaling()) return;
  proto::Autoscaling& autoscaling = *message_.mutable_deployment()->mutable_autoscaling();
  if (!has_layout_ || !has_cluster_ || findings_.any_at("deployment")) return;
  if (autoscaling.has_load() == (autoscaling.schedule_size() > 0)) {
    error(kAutoscaling,
          autoscaling.has_load() ? "has both a schedule and a load target"
                                 : "has neither a schedule nor a load target",
          "write schedule { at: \"0 s\" replicas: 1 } and further steps, or load { target: 50 }");
    return;
  }
  if (autoscaling.has_load() && autoscaling.has_period()) {
    error(kAutoscaling + ".period", "is that of a schedule, which is not given", "leave it out");
  }
  if (autoscaling.has_load() && scenario_.run.windows.on()) {
    error(kAutoscaling + ".load",
          "does not go with simulation.time_windows: load between windows is not known",
          "write a schedule, or leave time_windows out");
  }
  serving::Autoscaling settings = resolve_schedule(autoscaling);
  if (autoscaling.has_load()) settings.load = resolve_load_target(*autoscaling.mutable_load());
  if (!autoscaling.has_start_time()) autoscaling.set_start_time("0 s");
  const auto start =
      checked_quantity<Seconds>(findings_, kAutoscaling + ".start_time", autoscaling.start_time(),
                                parse_seconds, kStartRange);
  const auto weights = time_to_load(autoscaling);
  if (!start || !weights) return;
  settings.start_time = SimTime::from(*start + *weights);
  scenario_.deployment.autoscaling = std::move(settings);
  note("units that join load their weights beside the traffic of the others, without slowing it");
}

}  // namespace moesim::scenario
