#include "sweep/variants.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "core/diagnostics.h"

namespace moesim::sweep {
namespace {

bool varies(const scenario::Sweep& sweep, const std::string& field) {
  return std::any_of(sweep.vary.begin(), sweep.vary.end(), [&](const scenario::SweepAxis& axis) {
    return axis.field.rfind(field, 0) == 0;
  });
}

void apply_limits(const scenario::Sweep& sweep, scenario::Scenario& s) {
  if (!varies(sweep, "slo")) s.slo = sweep.slo;
  if (sweep.max_requests > 0 && !varies(sweep, "simulation.max_requests")) {
    s.run.max_requests = sweep.max_requests;
  }
}

/// Layouts that leave the rest of a scenario valid, whatever the cluster: one GPU; for experts with
/// copies, which need several GPUs, growing expert groups.
std::vector<plan::Layout> stand_in_layouts() {
  constexpr std::size_t kDoublings = 11;
  std::vector<plan::Layout> layouts(kDoublings);
  std::int64_t gpus = 1;
  for (plan::Layout& layout : layouts) {
    layout = {.tp = 1, .pp = 1, .dp = gpus, .ep = gpus, .replicas = 1};
    gpus *= 2;
  }
  return layouts;
}

/// The scenario with the settings, or what is wrong with it.
Variant read_variant(const scenario::Sweep& sweep, std::vector<Setting> settings,
                     const catalog::Catalog& catalog) {
  Variant variant;
  std::vector<std::string> overrides;
  for (const Setting& s : settings) overrides.push_back(s.field + "=" + s.value);
  variant.settings = std::move(settings);
  const auto read = [&](const std::vector<std::string>& all) {
    variant.scenario =
        scenario::read_scenario_text(sweep.base_text, sweep.base_origin, all, catalog);
  };
  try {
    read(overrides);
  } catch (const InputError& as_written) {
    variant.problem = as_written.what();
    for (const plan::Layout& layout : stand_in_layouts()) {
      std::vector<std::string> all = overrides;
      for (const std::string& text : layout_overrides(layout)) all.push_back(text);
      try {
        read(all);
        variant.problem.clear();
        break;
      } catch (const InputError& problem) {
        // The shortest list is of what has nothing to do with the layout.
        if (std::string(problem.what()).size() < variant.problem.size()) {
          variant.problem = problem.what();
        }
      }
    }
  }
  std::replace(variant.problem.begin(), variant.problem.end(), '\n', ' ');
  return variant;
}

bool same_trace(const workload::Trace& a, const workload::Trace& b) {
  return a.source == b.source && a.requests == b.requests && a.hash_ids == b.hash_ids;
}

}  // namespace

std::vector<std::string> layout_overrides(const plan::Layout& l) {
  return {fmt::format("deployment.tp={}", l.tp), fmt::format("deployment.pp={}", l.pp),
          fmt::format("deployment.dp={}", l.dp), fmt::format("deployment.ep={}", l.ep),
          fmt::format("deployment.replicas={}", l.replicas)};
}

std::vector<std::string> limit_overrides(const scenario::Sweep& sweep,
                                         const scenario::Scenario& s) {
  // A limit that the sweep lifts is written as the longest one that a scenario may have.
  const auto limit = [](const char* field, SimTime set, SimTime base) {
    std::vector<std::string> text;
    if (set != SimTime::never()) {
      text.push_back(fmt::format("slo.{}={} ps", field, set.picoseconds()));
    } else if (base != SimTime::never()) {
      text.push_back(fmt::format("slo.{}=30 d", field));
    }
    return text;
  };
  std::vector<std::string> all;
  const auto append = [&](const std::vector<std::string>& more) {
    all.insert(all.end(), more.begin(), more.end());
  };
  const serving::SloLimits& base = sweep.base.slo;
  if (!varies(sweep, "slo")) {
    append(limit("ttft", s.slo.ttft, base.ttft));
    append(limit("tpot", s.slo.tpot, base.tpot));
    append(limit("end_to_end", s.slo.end_to_end, base.end_to_end));
  }
  if (s.run.max_requests != sweep.base.run.max_requests) {
    all.push_back(fmt::format("simulation.max_requests={}", s.run.max_requests));
  }
  return all;
}

std::vector<Variant> read_variants(const scenario::Sweep& sweep, const catalog::Catalog& catalog) {
  std::vector<Variant> variants;
  if (sweep.vary.empty()) {
    variants.emplace_back().scenario = sweep.base;
    apply_limits(sweep, *variants.back().scenario);
    return variants;
  }
  std::vector<std::size_t> choice(sweep.vary.size(), 0);
  while (true) {
    std::vector<Setting> settings;
    for (std::size_t i = 0; i < choice.size(); ++i) {
      const std::vector<std::string>& values = sweep.vary[i].values;
      settings.push_back({sweep.vary[i].field, values[choice[i]], values.size() > 1});
    }
    Variant variant = read_variant(sweep, std::move(settings), catalog);
    if (variant.scenario) {
      apply_limits(sweep, *variant.scenario);
      scenario::WorkloadSettings& w = variant.scenario->workload;
      // One copy in memory of a trace that all variants replay.
      if (w.trace && sweep.base.workload.trace &&
          same_trace(*w.trace, *sweep.base.workload.trace)) {
        w.trace = sweep.base.workload.trace;
      }
    }
    variants.push_back(std::move(variant));
    std::size_t axis = choice.size();
    while (axis > 0 && ++choice[axis - 1] == sweep.vary[axis - 1].values.size()) {
      choice[--axis] = 0;
    }
    if (axis == 0) return variants;
  }
}

}  // namespace moesim::sweep
