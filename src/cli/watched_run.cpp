#include "cli/watched_run.h"

#include <algorithm>

#include <fmt/format.h>

#include "cli/progress.h"

namespace moesim::cli {

sweep::ScenarioResult watched_run(const scenario::Scenario& scenario, bool quiet) {
  Progress bar(scenario.name, quiet);
  const double duration =
      scenario.run.duration == SimTime::never() ? 0.0 : scenario.run.duration.seconds() / kSecond;
  return sweep::run_scenario(scenario, [&](const serving::Progress& p) {
    const double now = p.now.seconds() / kSecond;
    double share = duration > 0 ? std::min(1.0, now / duration) : -1.0;
    if (scenario.run.max_requests > 0) {
      share = static_cast<double>(p.completed) / static_cast<double>(scenario.run.max_requests);
    }
    bar.update(share, fmt::format("{} requests done, {:.1f} s simulated", p.completed, now));
  });
}

}  // namespace moesim::cli
