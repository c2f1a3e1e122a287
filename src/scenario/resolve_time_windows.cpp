// Windows of sampled time, and what does not go with them.
#include <fmt/format.h>

#include <tuple>
#include <utility>

#include "scenario/quantity_field.h"
#include "scenario/resolver.h"

namespace moesim::scenario {
namespace {

constexpr QuantityRange kLengthRange{"1 s", LowEnd::Included, "1 d"};
constexpr QuantityRange kEveryRange{"2 s", LowEnd::Included, "1 d"};
constexpr std::int64_t kMostStretch = 1000;

}  // namespace

void Resolver::resolve_time_windows() {
  if (!message_.simulation().has_time_windows()) return;
  const std::string path = "simulation.time_windows";
  const proto::Simulation& simulation = message_.simulation();
  serving::RunSettings& run = scenario_.run;
  TimeWindows windows;
  for (const auto& [name, text, range, into] :
       {std::tuple{".length", simulation.time_windows().length(), kLengthRange, &windows.length},
        std::tuple{".every", simulation.time_windows().every(), kEveryRange, &windows.every}}) {
    if (text.empty()) {
      findings_.missing(path + name, "is missing", "as in length: \"30 s\" every: \"15 min\"");
      return;
    }
    const auto value =
        checked_quantity<Seconds>(findings_, path + name, text, parse_seconds, range);
    if (!value) return;
    *into = SimTime::from(*value);
  }
  const std::int64_t length = windows.length.picoseconds();
  const std::int64_t every = windows.every.picoseconds();
  if (every <= length || every / length > kMostStretch) {
    error(path + ".every", fmt::format("must be above length {} and at most {} times it, got {}",
                                       simulation.time_windows().length(), kMostStretch,
                                       shown(simulation.time_windows().every())));
    return;
  }
  if (!simulation.has_duration()) {
    findings_.missing("simulation.duration", "is missing, which windows of time need",
                      "write duration: \"24 h\"");
  }
  for (const auto& [name, time] :
       {std::pair{"warm_up", run.warm_up}, std::pair{"duration", run.duration}}) {
    if (time == SimTime::never() || time.picoseconds() % every == 0) continue;
    error(fmt::format("simulation.{}", name),
          fmt::format("is no whole number of time_windows.every {}",
                      simulation.time_windows().every()),
          "so that all windows stand for as much time");
  }
  if (simulation.has_stop_at_half_width()) {
    error("simulation.stop_at_half_width", "would stop before the time that windows sample is over",
          "leave one of the two out");
  }
  if (message_.workload().has_trace()) {
    error(path, "does not go with a trace, whose arrivals are fixed",
          "leave it out, or write arrivals and lengths");
  }
  run.windows = windows;
  run.warm_up = windows.run(run.warm_up);
  run.duration = windows.run(run.duration);
  note(
      fmt::format("{} of every {} are simulated, one after another: what a change of load leaves "
                  "behind takes a larger part of them than of the day",
                  simulation.time_windows().length(), simulation.time_windows().every()));
}

}  // namespace moesim::scenario
