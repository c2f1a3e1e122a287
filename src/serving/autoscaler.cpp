#include "serving/autoscaler.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace moesim::serving {

Autoscaler::Autoscaler(const Autoscaling& settings, std::int64_t units, TimeWindows windows)
    : settings_(settings), windows_(windows), units_(static_cast<std::size_t>(units)) {
  first_ = settings_.load ? settings_.load->least_units : settings_.schedule.front().units;
  MOESIM_CHECK(first_ >= 1 && first_ <= units, "a pool starts with more units than it has");
  for (std::size_t u = 0; u < static_cast<std::size_t>(first_); ++u) {
    become(u, UnitState::Serving, SimTime{});
  }
}

void Autoscaler::become(std::size_t number, UnitState state, SimTime calendar) {
  Unit& unit = units_[number];
  const SimTime run = windows_.run(calendar);
  if (unit.state != UnitState::Off && calendar > unit.since) {
    spells_.push_back({.unit = static_cast<std::int64_t>(number),
                       .state = unit.state,
                       .from = unit.since,
                       .to = calendar,
                       .run_from = unit.run_since,
                       .run_to = run});
  }
  unit.state = state;
  unit.since = calendar;
  unit.run_since = run;
  ++unit.generation;
}

std::int64_t Autoscaler::active() const {
  return std::count_if(units_.begin(), units_.end(), [](const Unit& unit) {
    return unit.state == UnitState::Serving || unit.state == UnitState::Loading;
  });
}

std::optional<ScheduleStep> Autoscaler::next_step() const {
  if (settings_.schedule.empty()) return std::nullopt;
  SimTime begin{};
  if (settings_.period > SimTime{}) {
    const std::int64_t period = settings_.period.picoseconds();
    begin = SimTime::from_picoseconds(stepped_.picoseconds() / period * period);
  }
  for (const ScheduleStep& step : settings_.schedule) {
    if (begin + step.at > stepped_) return ScheduleStep{begin + step.at, step.units};
  }
  if (settings_.period == SimTime{}) return std::nullopt;
  return ScheduleStep{begin + settings_.period, settings_.schedule.front().units};
}

std::optional<ScheduleStep> Autoscaler::take_step(SimTime calendar) {
  const auto step = next_step();
  if (!step || step->at > calendar) return std::nullopt;
  stepped_ = step->at;
  return step;
}

std::int64_t Autoscaler::wanted(double load, SimTime calendar) {
  const LoadTarget& target = settings_.load.value();
  const std::int64_t now = active();
  std::int64_t wanted = now;
  const double ratio = load / (target.target * static_cast<double>(now));
  if (std::abs(ratio - 1.0) > target.tolerance) {
    const double most = static_cast<double>(units());
    wanted = static_cast<std::int64_t>(
        std::clamp(std::ceil(load / target.target), static_cast<double>(target.least_units), most));
  }
  while (!recommended_.empty() && recommended_.front().first + target.settle < calendar) {
    recommended_.pop_front();
  }
  recommended_.emplace_back(calendar, wanted);
  if (wanted >= now) return wanted;
  for (const auto& [time, units] : recommended_) wanted = std::max(wanted, units);
  return std::min(wanted, now);
}

void Autoscaler::add_one(SimTime calendar) {
  // Who began to drain last has most of its requests left.
  std::size_t draining = units_.size();
  for (std::size_t u = 0; u < units_.size(); ++u) {
    if (units_[u].state != UnitState::Draining) continue;
    if (draining == units_.size() || units_[u].since > units_[draining].since) draining = u;
  }
  if (draining < units_.size()) {
    become(draining, UnitState::Serving, calendar);
    return;
  }
  for (std::size_t u = 0; u < units_.size(); ++u) {
    if (units_[u].state != UnitState::Off) continue;
    become(u, UnitState::Loading, calendar);
    starts_.push_back({u, units_[u].generation});
    return;
  }
  MOESIM_CHECK(false, "a pool wants more units than it has");
}

void Autoscaler::drop_one(std::span<const std::int64_t> requests, SimTime calendar) {
  for (std::size_t u = units_.size(); u-- > 0;) {
    if (units_[u].state != UnitState::Loading) continue;
    become(u, UnitState::Off, calendar);
    return;
  }
  std::size_t least = units_.size();
  for (std::size_t u = units_.size(); u-- > 0;) {
    if (!takes(u)) continue;
    if (least == units_.size() || requests[u] < requests[least]) least = u;
  }
  MOESIM_CHECK(least < units_.size(), "a pool has no unit to drop");
  become(least, requests[least] > 0 ? UnitState::Draining : UnitState::Off, calendar);
}

std::span<const Autoscaler::Start> Autoscaler::turn_to(std::int64_t wanted,
                                                       std::span<const std::int64_t> requests,
                                                       SimTime calendar) {
  starts_.clear();
  for (std::int64_t now = active(); now < wanted; ++now) add_one(calendar);
  for (std::int64_t now = active(); now > wanted; --now) drop_one(requests, calendar);
  return starts_;
}

bool Autoscaler::ready(const Start& start) {
  const Unit& unit = units_[start.unit];
  if (unit.state != UnitState::Loading || unit.generation != start.generation) return false;
  become(start.unit, UnitState::Serving, unit.since + settings_.start_time);
  return true;
}

void Autoscaler::emptied(std::size_t unit, SimTime calendar) {
  MOESIM_CHECK(units_[unit].state == UnitState::Draining, "a unit that serves cannot be emptied");
  become(unit, UnitState::Off, calendar);
}

void Autoscaler::stop(SimTime calendar) {
  for (std::size_t u = 0; u < units_.size(); ++u) become(u, UnitState::Off, calendar);
}

HeldUnits Autoscaler::mean_held(SimTime run_from, SimTime run_to) const {
  HeldUnits held;
  if (run_to <= run_from) {
    held.serving = static_cast<double>(first_);
    return held;
  }
  const double stretch = windows_.stretch();
  const double from = stretch * run_from.seconds().base();
  const double to = stretch * run_to.seconds().base();
  const auto inside = [](double a, double b, double low, double high) {
    return std::max(0.0, std::min(b, high) - std::max(a, low));
  };
  for (const UnitSpell& spell : spells_) {
    if (spell.state == UnitState::Draining) {
      held.draining += inside(spell.run_from.seconds().base(), spell.run_to.seconds().base(),
                              run_from.seconds().base(), run_to.seconds().base());
      continue;
    }
    double& sum = spell.state == UnitState::Loading ? held.loading : held.serving;
    sum += inside(spell.from.seconds().base(), spell.to.seconds().base(), from, to);
  }
  held.serving /= to - from;
  held.loading /= to - from;
  held.draining /= to - from;
  return held;
}

Seconds Autoscaler::run_time() const {
  Seconds sum;
  for (const UnitSpell& spell : spells_) sum += (spell.run_to - spell.run_from).seconds();
  return sum;
}

std::int64_t Autoscaler::most_units(SimTime run_from, SimTime run_to) const {
  // A spell that follows another of its unit at once ends before that begins.
  std::vector<std::pair<SimTime, std::int64_t>> changes;
  for (const UnitSpell& spell : spells_) {
    if (spell.state == UnitState::Draining) continue;
    if (spell.run_to < run_from || spell.run_from > run_to) continue;
    changes.emplace_back(spell.from, +1);
    changes.emplace_back(spell.to, -1);
  }
  std::sort(changes.begin(), changes.end());
  std::int64_t now = 0;
  std::int64_t most = 0;
  for (const auto& [time, change] : changes) {
    now += change;
    most = std::max(most, now);
  }
  return most;
}

}  // namespace moesim::serving
