#include "sweep/candidates.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "core/check.h"
#include "core/diagnostics.h"
#include "plan/memory.h"
#include "serving/simulation.h"
#include "sweep/variants.h"

namespace moesim::sweep {
namespace {

using Degrees = std::vector<std::int64_t>;

Degrees divisors(std::int64_t whole) {
  Degrees found;
  for (std::int64_t d = 1; d <= whole; ++d) {
    if (whole % d == 0) found.push_back(d);
  }
  return found;
}

/// The values asked for, or one 0 that stands for "open".
Degrees given(const Degrees& axis) { return axis.empty() ? Degrees{0} : axis; }

/// GPUs that the open degrees may share when the given ones (0: open) take theirs; at least 1.
std::int64_t left_over(std::int64_t gpus, std::initializer_list<std::int64_t> taken) {
  std::int64_t rest = gpus;
  for (const std::int64_t degree : taken) rest /= std::max<std::int64_t>(degree, 1);
  return std::max<std::int64_t>(rest, 1);
}

class LayoutCollector {
 public:
  LayoutCollector(const LayoutAxes& axes, bool is_moe, std::int64_t gpus, std::int64_t limit)
      : axes_(axes), is_moe_(is_moe), gpus_(gpus), limit_(limit) {}

  LayoutList collect() {
    for (const std::int64_t replicas : given(axes_.replicas)) {
      for (const std::int64_t tp : given(axes_.tp)) {
        for (const std::int64_t pp : given(axes_.pp)) {
          for (const std::int64_t dp : given(axes_.dp)) {
            open_degrees(tp, pp, dp, replicas);
          }
        }
      }
    }
    const auto key = [](const plan::Layout& l) {
      return std::tie(l.tp, l.pp, l.dp, l.ep, l.replicas);
    };
    std::sort(list_.layouts.begin(), list_.layouts.end(),
              [&](const plan::Layout& a, const plan::Layout& b) { return key(a) < key(b); });
    return std::move(list_);
  }

 private:
  /// Fills the degrees that are 0.
  void open_degrees(std::int64_t tp, std::int64_t pp, std::int64_t dp, std::int64_t replicas) {
    const std::int64_t rest = left_over(gpus_, {tp, pp, dp, replicas});
    for (const std::int64_t t : tp > 0 ? Degrees{tp} : divisors(rest)) {
      const std::int64_t after_tp = tp > 0 ? rest : rest / t;
      for (const std::int64_t p : pp > 0 ? Degrees{pp} : divisors(after_tp)) {
        const std::int64_t after_pp = pp > 0 ? after_tp : after_tp / p;
        const Degrees groups = dp > 0 ? Degrees{dp} : is_moe_ ? divisors(after_pp) : Degrees{1};
        for (const std::int64_t d : groups) {
          open_experts({.tp = t, .pp = p, .dp = d, .ep = 1, .replicas = replicas}, dp > 0);
        }
      }
    }
  }

  void open_experts(plan::Layout layout, bool dp_given) {
    if (layout.replicas == 0) {
      layout.replicas = std::max<std::int64_t>(gpus_ / layout.gpus_per_instance(), 1);
    }
    const Degrees experts = !axes_.ep.empty() ? axes_.ep
                            : is_moe_         ? divisors(layout.tp * layout.dp)
                                              : Degrees{1};
    for (const std::int64_t ep : experts) {
      // Found as replicas already: nobody asked for it under this name.
      if (ep == 1 && layout.dp > 1 && !dp_given && axes_.ep.empty()) continue;
      layout.ep = ep;
      add(plan::normalised(layout));
    }
  }

  void add(const plan::Layout& l) {
    if (static_cast<std::int64_t>(list_.layouts.size()) > limit_) return;
    if (seen_.insert({l.tp, l.pp, l.dp, l.ep, l.replicas}).second) {
      list_.layouts.push_back(l);
    } else {
      ++list_.repeated;
    }
  }

  const LayoutAxes& axes_;
  bool is_moe_;
  std::int64_t gpus_;
  std::int64_t limit_;
  LayoutList list_;
  std::set<std::tuple<std::int64_t, std::int64_t, std::int64_t, std::int64_t, std::int64_t>> seen_;
};

void refuse(Candidate& candidate, Refusal refusal, std::string reason) {
  candidate.refusal = refusal;
  candidate.reason = std::move(reason);
}

/// Refuses a candidate that cannot run.
void judge(Candidate& candidate, const scenario::Scenario& base) {
  serving::Deployment d = base.deployment;
  d.layout = candidate.layout;
  if (d.layout.gpus() > d.cluster.gpus()) {
    return refuse(
        candidate, Refusal::Cluster,
        fmt::format("needs {} GPUs, the cluster has {}", d.layout.gpus(), d.cluster.gpus()));
  }
  std::string reason;
  const auto gather = [&](const std::string& message) {
    reason += (reason.empty() ? "" : "; ") + message;
  };
  for (const auto& p : plan::check_layout(d.layout, d.model, d.experts.redundant_experts)) {
    gather(p.message);
  }
  if (!reason.empty()) return refuse(candidate, Refusal::Layout, std::move(reason));
  for (const auto& p : serving::check_deployment(d)) gather(p.message);
  if (!reason.empty()) return refuse(candidate, Refusal::NotModelled, std::move(reason));
  const plan::MemoryReport memory =
      plan::plan_memory(d.model, d.precision, d.cluster.gpu, d.layout, d.memory);
  if (memory.verdict == plan::Verdict::No || memory.kv_capacity_tokens == 0) {
    refuse(candidate, Refusal::Memory, memory.reason);
  }
}

[[noreturn]] void refuse_size(const scenario::Sweep& sweep, const std::string& found) {
  throw InputError(Diagnostic{
      .field = "limits.max_candidates",
      .message = fmt::format("{} has {} candidates, the limit is {}", sweep.name, found,
                             sweep.max_candidates),
      .hint = "name fewer values for tp, pp, dp, ep, replicas or vary, or raise the limit"});
}

}  // namespace

std::string to_string(Refusal refusal) {
  switch (refusal) {
    case Refusal::None:
      return "";
    case Refusal::Layout:
      return "layout";
    case Refusal::Cluster:
      return "cluster";
    case Refusal::NotModelled:
      return "not_modelled";
    case Refusal::Memory:
      return "memory";
    case Refusal::Input:
      return "input";
    case Refusal::Unserved:
      return "unserved";
  }
  return "";
}

LayoutList candidate_layouts(const LayoutAxes& axes, bool is_moe, std::int64_t gpus,
                             std::int64_t limit) {
  MOESIM_CHECK(gpus >= 1, "a cluster without GPUs");
  return LayoutCollector(axes, is_moe, gpus, limit).collect();
}

CandidateSpace enumerate_candidates(const scenario::Sweep& sweep, const catalog::Catalog& catalog) {
  std::int64_t combinations = 1;
  for (const scenario::SweepAxis& axis : sweep.vary) {
    combinations *= static_cast<std::int64_t>(axis.values.size());
    if (combinations > sweep.max_candidates) refuse_size(sweep, "more");
  }
  CandidateSpace space;
  space.variants = read_variants(sweep, catalog);
  const LayoutAxes axes{sweep.tp, sweep.pp, sweep.dp, sweep.ep, sweep.replicas};
  for (std::size_t v = 0; v < space.variants.size(); ++v) {
    const Variant& variant = space.variants[v];
    Candidate candidate;
    candidate.variant = v;
    candidate.settings = variant.settings;
    const auto add = [&] {
      candidate.number = static_cast<std::int64_t>(space.candidates.size()) + 1;
      if (candidate.number > sweep.max_candidates) refuse_size(sweep, "more");
      space.candidates.push_back(candidate);
    };
    if (!variant.scenario) {
      refuse(candidate, Refusal::Input, variant.problem);
      add();
      continue;
    }
    const serving::Deployment& d = variant.scenario->deployment;
    const LayoutList list =
        candidate_layouts(axes, d.model.is_moe(), d.cluster.gpus(), sweep.max_candidates);
    space.repeated += list.repeated;
    for (const plan::Layout& layout : list.layouts) {
      candidate.layout = layout;
      refuse(candidate, Refusal::None, "");
      judge(candidate, *variant.scenario);
      add();
    }
  }
  return space;
}

scenario::Scenario candidate_scenario(const CandidateSpace& space, const Candidate& candidate) {
  MOESIM_CHECK(candidate.refusal == Refusal::None, "a refused candidate is run");
  scenario::Scenario s = *space.variants[candidate.variant].scenario;
  s.deployment.layout = candidate.layout;
  return s;
}

scenario::Scenario written_scenario(const scenario::Sweep& sweep, const CandidateSpace& space,
                                    const Candidate& candidate, const std::string& name,
                                    const catalog::Catalog& catalog) {
  std::vector<std::string> overrides = {"name=" + name};
  const Variant& variant = space.variants[candidate.variant];
  for (const Setting& s : variant.settings) overrides.push_back(s.field + "=" + s.value);
  const plan::Layout& l = candidate.layout;
  for (const std::string& text : layout_overrides(l)) overrides.push_back(text);
  for (const std::string& text : limit_overrides(sweep, *variant.scenario)) {
    overrides.push_back(text);
  }
  return scenario::read_scenario_text(sweep.base_text, sweep.base_origin, overrides, catalog);
}

}  // namespace moesim::sweep
