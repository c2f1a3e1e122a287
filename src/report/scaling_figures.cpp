#include "report/scaling_figures.h"

#include <map>

#include <fmt/format.h>

#include "report/message_json.h"
#include "report/number_text.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

using serving::UnitState;

std::string name_of(serving::PoolRole role) {
  switch (role) {
    case serving::PoolRole::Prefill:
      return "prefill";
    case serving::PoolRole::Decode:
      return "decode";
    case serving::PoolRole::Mixed:
      break;
  }
  return "all";
}

struct UnitCounts {
  int serving = 0, loading = 0, draining = 0;
  void add(UnitState state, int change) {
    switch (state) {
      case UnitState::Serving:
        serving += change;
        break;
      case UnitState::Loading:
        loading += change;
        break;
      case UnitState::Draining:
        draining += change;
        break;
      case UnitState::Off:
        break;
    }
  }
};

void fill_changes(const serving::ScalingSummary& from, proto::ScalingReport& to) {
  std::map<SimTime, UnitCounts> changes;
  for (const serving::UnitSpell& spell : from.spells) {
    changes[spell.from].add(spell.state, +1);
    changes[spell.to].add(spell.state, -1);
  }
  if (!changes.empty()) changes.erase(std::prev(changes.end()));  // The end of the run.
  UnitCounts now;
  for (const auto& [time, change] : changes) {
    if (change.serving == 0 && change.loading == 0 && change.draining == 0) continue;
    now.serving += change.serving;
    now.loading += change.loading;
    now.draining += change.draining;
    proto::ScaleChange& row = *to.add_changes();
    row.set_at_s(rounded(time.seconds() / kSecond));
    row.set_serving(now.serving);
    row.set_loading(now.loading);
    row.set_draining(now.draining);
  }
}

}  // namespace

std::string scaling_text(const serving::RunResult& run) {
  std::string page;
  for (const serving::PoolResult& pool : run.pools) {
    if (!pool.scaling) continue;
    const serving::ScalingSummary& s = *pool.scaling;
    std::string text = fmt::format(
        "{}{} of {} units of {} GPU{} on average ({} serving, {} loading, {} draining), "
        "most {}; {} started",
        pool.role == serving::PoolRole::Mixed ? "" : name_of(pool.role) + ": ",
        number_text(s.mean.all(), 4), s.units, s.gpus_per_unit, s.gpus_per_unit == 1 ? "" : "s",
        number_text(s.mean.serving, 4), number_text(s.mean.loading, 3),
        number_text(s.mean.draining, 3), s.most, s.starts);
    if (s.starts > 0) text += fmt::format(" in {} s each", number_text(s.start / kSecond, 3));
    text += fmt::format(", {} drained", s.stops);
    if (s.stops > 0) text += fmt::format(" in {} s on average", number_text(s.drain / kSecond, 3));
    page += labelled(page.empty() ? "autoscaling" : "", text);
  }
  if (page.empty()) return page;
  return page + labelled("", fmt::format("{} GPUs held on average of {}, which are what is paid",
                                         number_text(run.gpus_held, 4), count_text(run.gpus)));
}

void fill_scaling(const serving::RunResult& from, proto::Result& to) {
  for (const serving::PoolResult& pool : from.pools) {
    if (!pool.scaling) continue;
    const serving::ScalingSummary& s = *pool.scaling;
    proto::ScalingReport& report = *to.add_scaling();
    report.set_pool(name_of(pool.role));
    report.set_replicas(static_cast<std::int32_t>(s.units));
    report.set_gpus_per_replica(static_cast<std::int32_t>(s.gpus_per_unit));
    report.set_mean_gpus(rounded(s.gpus_held()));
    report.set_mean_serving(rounded(s.mean.serving));
    report.set_mean_loading(rounded(s.mean.loading));
    report.set_mean_draining(rounded(s.mean.draining));
    report.set_most(static_cast<std::int32_t>(s.most));
    report.set_starts(static_cast<std::int32_t>(s.starts));
    report.set_stops(static_cast<std::int32_t>(s.stops));
    report.set_time_to_start_s(rounded(s.start / kSecond));
    report.set_time_to_drain_s(rounded(s.drain / kSecond));
    fill_changes(s, report);
  }
}

}  // namespace moesim::report
