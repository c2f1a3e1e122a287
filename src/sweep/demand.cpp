#include "sweep/demand.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "core/text.h"
#include "workload/generated_sessions.h"
#include "workload/generator.h"

namespace moesim::sweep {
namespace {

constexpr int kComparedRequests = 1000;

bool same_requests(const scenario::Scenario& a, const scenario::Scenario& b) {
  const auto first = make_source(a);
  const auto other = make_source(b);
  const bool timed = a.workload.concurrency == 0;
  for (int i = 0; i < kComparedRequests; ++i) {
    const std::optional<workload::Request> x = first->next();
    const std::optional<workload::Request> y = other->next();
    if (x.has_value() != y.has_value()) return false;
    if (!x) return true;
    if (x->input_tokens != y->input_tokens || x->output_tokens != y->output_tokens ||
        x->service_class != y->service_class || (timed && x->arrival != y->arrival)) {
      return false;
    }
  }
  return true;
}

std::string seconds(SimTime time) {
  return time == SimTime::never() ? "no limit" : format_number(time.seconds() / kSecond) + " s";
}

std::string limits(const serving::SloLimits& slo) {
  return fmt::format("TTFT {}, TPOT {}, end to end {}", seconds(slo.ttft), seconds(slo.tpot),
                     seconds(slo.end_to_end));
}

std::string windows(const TimeWindows& sampled) {
  return sampled.on()
             ? fmt::format("{} of every {}", seconds(sampled.length), seconds(sampled.every))
             : "all of it";
}

std::string loop(const scenario::WorkloadSettings& w) {
  return w.concurrency == 0 ? "open" : fmt::format("closed with {} in flight", w.concurrency);
}

std::string request_limit(const serving::RunSettings& run) {
  return run.max_requests == 0 ? "all of the workload" : fmt::format("{}", run.max_requests);
}

/// What prompts have in common.
std::string reuse(const scenario::WorkloadSettings& w) {
  constexpr const char* kTiers[] = {"GPU", "host", "disk"};
  if (w.assumed_reuse.share > 0) {
    return fmt::format("{} of the input found on the {}", format_number(w.assumed_reuse.share),
                       kTiers[static_cast<std::size_t>(w.assumed_reuse.tier)]);
  }
  if (w.shared_prefix.tokens > 0) {
    return fmt::format("{} leading tokens of one of {} texts", w.shared_prefix.tokens,
                       w.shared_prefix.texts);
  }
  return "as the requests have it";
}

/// Limits of each class; how many are of which the requests show.
std::string classes(const scenario::WorkloadSettings& w) {
  std::string text;
  for (const serving::ServiceClass& c : w.classes) {
    text += fmt::format("{}{} (priority {}; {})", text.empty() ? "" : ", ", c.name, c.priority,
                        c.slo ? limits(*c.slo) : "limits of all");
  }
  return text.empty() ? "none" : text;
}

/// Tokens of the prefix blocks that generated prompts name: whole KV blocks, few enough to list.
std::int32_t prefix_block(const scenario::Scenario& s) {
  constexpr std::int64_t kLeast = 16;
  const serving::SchedulerSettings& scheduler = s.deployment.scheduler;
  if (!scheduler.prefix_cache.enabled) return 0;
  const std::int64_t size = scheduler.block_size;
  return static_cast<std::int32_t>((kLeast + size - 1) / size * size);
}

std::unique_ptr<workload::RequestSource> unshared_source(const scenario::Scenario& s) {
  const scenario::WorkloadSettings& w = s.workload;
  if (w.trace) return workload::make_trace_source(*w.trace);
  const double turns = w.sessions ? w.sessions->turns : 1.0;
  const workload::GenerateOptions options{
      .seed = s.run.seed, .rate_scale = w.rate_scale / turns, .windows = s.run.windows};
  auto source = workload::make_generated_source(*w.model, options);
  if (!w.sessions) return source;
  return workload::make_sessions(std::move(source), *w.model, *w.sessions, prefix_block(s),
                                 s.run.seed);
}

}  // namespace

std::unique_ptr<workload::RequestSource> make_source(const scenario::Scenario& s) {
  std::unique_ptr<workload::RequestSource> source = unshared_source(s);
  const scenario::WorkloadSettings& w = s.workload;
  if (!w.class_demand.empty()) {
    source = workload::give_classes(std::move(source), w.class_demand,
                                    w.model ? &*w.model : nullptr, s.run.seed);
  }
  if (s.workload.shared_prefix.tokens == 0) return source;
  return workload::share_prefixes(std::move(source), s.workload.shared_prefix,
                                  static_cast<std::int32_t>(s.deployment.scheduler.block_size),
                                  s.run.seed);
}

std::vector<std::string> demand_differences(const scenario::Scenario& first,
                                            const scenario::Scenario& other) {
  std::vector<std::string> found;
  const auto differ = [&](const char* what, const std::string& a, const std::string& b) {
    if (a == b) return;
    found.push_back(fmt::format("not the same demand: {} of {} is {}, of {} it is {}", what,
                                first.name, a, other.name, b));
  };
  const scenario::WorkloadSettings& a = first.workload;
  const scenario::WorkloadSettings& b = other.workload;
  differ("the loop", loop(a), loop(b));
  if (a.concurrency == b.concurrency && !same_requests(first, other)) {
    if (a.description != b.description) {
      differ("the workload", a.description, b.description);
    } else if (first.run.seed != other.run.seed) {
      differ("the seed", fmt::format("{}", first.run.seed), fmt::format("{}", other.run.seed));
    } else {
      found.push_back(fmt::format("not the same demand: {} and {} serve different requests",
                                  first.name, other.name));
    }
  }
  differ("the reuse of prefixes", reuse(a), reuse(b));
  differ("the classes", classes(a), classes(b));
  differ("the windows of time", windows(first.run.windows), windows(other.run.windows));
  differ("the warm-up", seconds(first.run.warm_up), seconds(other.run.warm_up));
  differ("the time of arrivals", seconds(first.run.duration), seconds(other.run.duration));
  differ("the number of requests", request_limit(first.run), request_limit(other.run));
  if (limits(first.slo) != limits(other.slo)) {
    found.push_back(fmt::format("goodput is counted by different limits: {} by {}; {} by {}",
                                first.name, limits(first.slo), other.name, limits(other.slo)));
  }
  if (first.pricing.hours_per_month != other.pricing.hours_per_month) {
    found.push_back(fmt::format("months differ: {} h for {}, {} h for {}",
                                format_number(first.pricing.hours_per_month), first.name,
                                format_number(other.pricing.hours_per_month), other.name));
  }
  return found;
}

}  // namespace moesim::sweep
