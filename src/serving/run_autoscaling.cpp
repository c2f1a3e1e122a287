// Units that join and leave while the run goes on.
#include <algorithm>

#include "serving/run.h"

namespace moesim::serving {

void Run::start_scaling() {
  for (std::size_t p = 0; p < pools_.size(); ++p) {
    if (pools_[p]->scaler() != nullptr) look_again(p);
  }
}

void Run::look_again(std::size_t pool) {
  // The looks at other pools are nothing to serve.
  if (simulator_.pending() <= looks_pending_) return;
  const Autoscaler& scaler = *pools_[pool]->scaler();
  SimTime next = simulator_.now();
  if (scaler.settings().load) {
    next += scaler.settings().load->every;
  } else {
    const auto step = scaler.next_step();
    if (!step) return;
    next = std::max(next, settings_.windows.run(step->at));
  }
  ++looks_pending_;
  simulator_.schedule_at(next, des::Priority::Reconfigure,
                         {.kind = kScale, .a = static_cast<std::uint32_t>(pool)});
}

void Run::scale(std::size_t number) {
  --looks_pending_;
  Pool& pool = *pools_[number];
  Autoscaler& scaler = *pool.scaler();
  const SimTime calendar = settings_.windows.calendar(simulator_.now());
  if (const auto& target = scaler.settings().load) {
    double load = pool.load(target->metric);
    const bool decodes = pool.deployment().role == PoolRole::Decode;
    if (decodes && target->metric == LoadMetric::Requests) {
      load += static_cast<double>(handover_->waiting());
    }
    turn_to(pool, scaler.wanted(load, calendar), calendar);
  } else {
    // Between two windows there may be several.
    while (const auto step = scaler.take_step(calendar)) turn_to(pool, step->units, step->at);
  }
  if (handover_) place_waiting();
  look_again(number);
}

void Run::turn_to(Pool& pool, std::int64_t wanted, SimTime calendar) {
  Autoscaler& scaler = *pool.scaler();
  pool.count_requests(requests_);
  const SimTime there = settings_.windows.run(calendar + scaler.settings().start_time);
  for (const Autoscaler::Start& start : scaler.turn_to(wanted, requests_, calendar)) {
    simulator_.schedule_at(std::max(simulator_.now(), there), des::Priority::Reconfigure,
                           {.kind = kReady,
                            .a = static_cast<std::uint32_t>(number(pool, start.unit)),
                            .b = start.generation});
  }
}

void Run::ready(std::size_t number, std::uint64_t generation) {
  const Unit& unit = units_[number];
  if (unit.pool->scaler()->ready({unit.index, generation}) && handover_) place_waiting();
}

void Run::let_go(std::size_t number) {
  const Unit& unit = units_[number];
  Autoscaler* scaler = unit.pool->scaler();
  if (scaler == nullptr || scaler->state(unit.index) != UnitState::Draining) return;
  for (const RankScheduler& rank : unit.instance().ranks()) {
    if (rank.requests() > 0 || rank.leaving() > 0) return;
  }
  scaler->emptied(unit.index, settings_.windows.calendar(simulator_.now()));
}

void Run::stop_scaling() {
  for (const auto& pool : pools_) {
    if (pool->scaler() == nullptr) continue;
    pool->scaler()->stop(settings_.windows.calendar(last_finish_));
  }
}

std::optional<ScalingSummary> Run::scaling(const Pool& pool) const {
  const Autoscaler* scaler = pool.scaler();
  if (scaler == nullptr) return std::nullopt;
  auto [from, to] = recorder_.window(last_finish_);
  if (to <= from) {  // Nothing is measured; the GPUs are held all the same.
    from = SimTime{};
    to = last_finish_;
  }
  const plan::Layout& layout = pool.deployment().layout;
  ScalingSummary sum{.units = scaler->units(),
                     .gpus_per_unit = layout.gpus() / layout.replicas,
                     .mean = scaler->mean_held(from, to),
                     .most = scaler->most_units(from, to),
                     .start = scaler->settings().start_time.seconds(),
                     .spells = scaler->spells()};
  Seconds drained;
  for (const UnitSpell& spell : sum.spells) {
    if (spell.run_to < from || spell.run_to > to) continue;
    if (spell.state == UnitState::Loading) {
      ++sum.starts;
      continue;
    }
    if (spell.state == UnitState::Draining) drained += (spell.run_to - spell.run_from).seconds();
    const bool goes_on = std::any_of(
        sum.spells.begin(), sum.spells.end(),
        [&](const UnitSpell& next) { return next.unit == spell.unit && next.from == spell.to; });
    if (!goes_on && spell.run_to < last_finish_) ++sum.stops;
  }
  if (sum.stops > 0) sum.drain = drained / static_cast<double>(sum.stops);
  return sum;
}

}  // namespace moesim::serving
