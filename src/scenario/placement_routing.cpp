#include "scenario/placement_routing.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>
#include <vector>

#include "core/diagnostics.h"
#include "interchange/instance.h"
#include "interchange/routing_file.h"
#include "placement.pb.h"
#include "routing/affinity_model.h"
#include "scenario/quantity_field.h"

namespace moesim::scenario {
namespace {

/// Tokens drawn where a scenario gives affinity: to plan with, and others to judge on.
constexpr std::int64_t kPlannedTokens = 8192;
constexpr std::int64_t kJudgedTokens = 4096;

}  // namespace

std::string located(const TextOrigin& origin, const std::string& path) {
  const std::filesystem::path folder =
      origin.folder.empty() ? std::filesystem::path(".") : std::filesystem::path(origin.folder);
  return (folder / path).lexically_normal().string();
}

void PlacementRouting::read() {
  if (message_.workload_size() == 0) {
    if (!task_.scenario) {
      findings_.missing("workload", "is missing",
                        "name an instance folder or recorded files, or give a scenario");
      return;
    }
    take_scenario_routing();
    return;
  }
  bool any_later = false;
  for (int i = 0; i < message_.workload_size(); ++i) {
    const std::string path = fmt::format("workload[{}]", i);
    any_later = read_workload(message_.workload(i), path) || any_later;
    if (any_later && task_.later.size() != task_.problem.workloads.size() && !findings_.any()) {
      findings_.error(path, "all workloads have routing that comes later, or none has");
    }
  }
}

void PlacementRouting::take_scenario_routing() {
  const serving::Deployment& d = task_.scenario->deployment;
  const serving::ExpertSettings& experts = d.experts;
  const std::string& name = experts.popularity.source;
  task_.routing_of_scenario = true;
  placement::Workload planned{.name = name, .load = experts.popularity.share};
  placement::Workload later{.name = name, .load = experts.popularity.share};
  if (experts.recorded != nullptr) {
    planned.tokens = experts.recorded->trace();
  } else if (experts.affinity) {
    const auto draw = [&](std::int64_t tokens, std::uint64_t sample) {
      return routing::draw_tokens(task_.problem.routing, experts.popularity,
                                  experts.affinity->parameters, tokens, task_.scenario->run.seed,
                                  sample);
    };
    planned.tokens = draw(kPlannedTokens, 1);
    later.tokens = draw(kJudgedTokens, 2);
    task_.later.push_back(std::move(later));
    task_.later_is_same_law = true;
  }
  task_.problem.workloads.push_back(std::move(planned));
  task_.notes.push_back("routing is the scenario's own: " + name);
}

bool PlacementRouting::read_workload(const proto::PlacementWorkload& in, const std::string& path) {
  if (in.has_instance() == (in.file_size() > 0)) {
    findings_.error(path, "needs an instance folder or files, not both");
    return false;
  }
  if (!origin_.may_open_files) {
    findings_.error(path, "needs files, and files are not opened here");
    return false;
  }
  double weight = 1.0;
  if (in.has_weight()) {
    weight = checked_real(findings_, path + ".weight", in.weight(), 0.0, LowEnd::Excluded, 1e6);
  }
  try {
    if (in.has_instance()) return take_instance(in, path, weight);
    return take_files(in, path, weight);
  } catch (const IoError& problem) {
    findings_.error(path, problem.what(), "paths start at the folder of this file");
  } catch (const InputError& problem) {
    for (const Diagnostic& found : problem.diagnostics()) findings_.add(found);
  }
  return false;
}

bool PlacementRouting::take_instance(const proto::PlacementWorkload& in, const std::string& path,
                                     double weight) {
  if (in.later_file_size() > 0) {
    findings_.error(path + ".later_file", "the instance has its own", "leave it out");
  }
  interchange::Instance instance = interchange::read_instance(located(origin_, in.instance()));
  fit_shape(instance.shape, path);
  if (in.has_name()) instance.name = in.name();
  instance.train.name = instance.name;
  instance.eval.name = instance.name;
  instance.train.weight = weight;
  instance.eval.weight = weight;
  task_.problem.workloads.push_back(std::move(instance.train));
  task_.later.push_back(std::move(instance.eval));
  return true;
}

bool PlacementRouting::take_files(const proto::PlacementWorkload& in, const std::string& path,
                                  double weight) {
  if (task_.problem.routing.experts == 0) {
    findings_.error(path + ".file", "needs a model to tell the layers and experts",
                    "give model or scenario");
    return false;
  }
  const auto read = [&](const auto& files) {
    std::vector<interchange::RoutingRecord> records;
    interchange::RoutingHints hints = interchange::hints_of(task_.problem.routing);
    hints.layers = task_.layers;
    for (const std::string& file : files) {
      records.push_back(interchange::read_routing(located(origin_, file), hints));
    }
    placement::Workload workload =
        interchange::to_workload(interchange::merge(records), task_.problem.routing);
    workload.weight = weight;
    workload.name =
        in.has_name() ? in.name() : std::filesystem::path(in.file(0)).filename().string();
    return workload;
  };
  task_.problem.workloads.push_back(read(in.file()));
  if (in.later_file_size() == 0) return false;
  task_.later.push_back(read(in.later_file()));
  return true;
}

void PlacementRouting::fit_shape(const routing::RoutingShape& shape, const std::string& path) {
  routing::RoutingShape& known = task_.problem.routing;
  if (known.experts == 0) {
    known = shape;
    task_.layers = interchange::dense_first(0, shape.moe_layers);
    return;
  }
  if (known.moe_layers != shape.moe_layers || known.experts != shape.experts ||
      known.top_k != shape.top_k) {
    findings_.error(path, fmt::format("has {} layers of top-{} of {} experts, expected {} of "
                                      "top-{} of {}",
                                      shape.moe_layers, shape.top_k, shape.experts,
                                      known.moe_layers, known.top_k, known.experts));
  }
}

}  // namespace moesim::scenario
