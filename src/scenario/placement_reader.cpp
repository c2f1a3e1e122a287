#include "scenario/placement_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "interchange/placement_file.h"
#include "placement.pb.h"
#include "routing/model_shape.h"
#include "scenario/findings.h"
#include "scenario/message_reader.h"
#include "scenario/model_layers.h"
#include "scenario/outline.h"
#include "scenario/placement_routing.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"
#include "serving/expert_plan.h"
#include "topology/topology.h"

namespace moesim::scenario {
namespace {

constexpr std::int64_t kMostGpus = placement::kMaxRanks;
constexpr std::int64_t kUsualGpusPerNode = 8;
constexpr QuantityRange kBudgetRange{"1 ms", LowEnd::Included, "1 h"};

class PlacementResolver {
 public:
  PlacementResolver(const proto::Placement& message, const TextOrigin& origin, std::string judged,
                    const catalog::Catalog& catalog, Findings& findings)
      : message_(message),
        origin_(origin),
        judged_(std::move(judged)),
        catalog_(catalog),
        findings_(findings) {}

  PlacementTask resolve() {
    task_.name = message_.has_name() ? message_.name()
                                     : std::filesystem::path(origin_.file_name).stem().string();
    task_.description = message_.description();
    check_printable(task_.name, "name", findings_);
    check_printable(task_.description, "description", findings_, BlankLines::Allowed);
    strategy();
    batch();
    if (message_.has_scenario()) {
      read_scenario();
      if (task_.scenario) shape_of_scenario();
    } else if (message_.has_model()) {
      read_model();
    }
    findings_.throw_if_any();
    PlacementRouting(message_, origin_, findings_, task_).read();
    findings_.throw_if_any();
    if (!task_.scenario) shape();
    findings_.throw_if_any();
    for (const std::string& problem : placement::verify(task_.problem)) {
      findings_.error("", problem);
    }
    findings_.throw_if_any();
    placements();
    findings_.throw_if_any();
    return std::move(task_);
  }

 private:
  void strategy() {
    const std::vector<std::string> names = strategies::strategy_names();
    if (message_.has_strategy()) task_.strategy = message_.strategy();
    if (std::find(names.begin(), names.end(), task_.strategy) == names.end()) {
      findings_.error(
          "strategy",
          fmt::format("expected {}, got {}", alternatives(names), shown(task_.strategy)),
          did_you_mean(task_.strategy, names));
    }
    strategies::SearchOptions& search = task_.search;
    if (message_.has_budget()) {
      const auto budget = checked_quantity<Seconds>(findings_, "budget", message_.budget(),
                                                    parse_seconds, kBudgetRange);
      if (budget) search.budget = *budget / kSecond;
    }
    const auto real = [&](bool given, const char* name, double value, double low, double high,
                          double& into) {
      if (given) into = checked_real(findings_, name, value, low, LowEnd::Included, high);
    };
    real(message_.has_slack(), "slack", message_.slack(), 0.0, 10.0, search.slack);
    real(message_.has_max_moves(), "max_moves", message_.max_moves(), 0.0, 1.0, search.most_moved);
    real(message_.has_move_price(), "move_price", message_.move_price(), 0.0, 1.0,
         search.move_price);
    if (message_.has_max_imbalance()) {
      if (message_.has_slack()) {
        findings_.error("max_imbalance", "stands in place of slack", "give one of them");
      }
      real(true, "max_imbalance", message_.max_imbalance(), 1.0, kMostGpus,
           search.max_imbalance.emplace());
    }
    const auto only = [&](bool given, const char* name, const char* strategy) {
      if (!given || task_.strategy == strategy || !judged_.empty()) return;
      findings_.error(
          name,
          fmt::format("is for the strategy \"{}\", not for {}", strategy, shown(task_.strategy)),
          "leave it out");
    };
    only(message_.has_slack(), "slack", "partition");
    only(message_.has_max_imbalance(), "max_imbalance", "partition");
    only(message_.has_max_moves(), "max_moves", "rebalance");
    only(message_.has_move_price(), "move_price", "rebalance");
    if (message_.has_seed()) search.seed = message_.seed();
    const bool plans_worst = task_.strategy == "partition" || task_.strategy == "rebalance";
    if (message_.over() == proto::Placement::WORST && !plans_worst && judged_.empty()) {
      findings_.error(
          "over",
          fmt::format("WORST is for partition and rebalance, not for {}", shown(task_.strategy)),
          "leave it out: the loads are added up by weight");
    }
    task_.problem.over =
        message_.over() == proto::Placement::WORST ? placement::Over::Worst : placement::Over::Mean;
  }

  void batch() {
    if (message_.has_tokens_per_rank()) {
      task_.tokens_per_rank =
          checked_count(findings_, "tokens_per_rank", message_.tokens_per_rank(), 1, 1'048'576);
    }
    task_.prefill = message_.prefill();
    if (!message_.has_scenario() && (message_.has_tokens_per_rank() || message_.has_prefill())) {
      findings_.error(message_.has_prefill() ? "prefill" : "tokens_per_rank",
                      "prices a placement, which needs a scenario", "give scenario");
    }
  }

  void read_scenario() {
    if (message_.has_model()) {
      findings_.error("model", "is given by the scenario", "leave one of them out");
    }
    if (message_.has_nodes()) {
      findings_.error("nodes", "are given by the scenario's cluster", "leave one of them out");
    }
    if (!origin_.may_open_files) {
      findings_.error("scenario", "needs a file, and files are not opened here");
      return;
    }
    const std::string path = located(origin_, message_.scenario());
    std::vector<std::string> overrides;
    if (message_.has_slots()) {
      // How many slots the model needs is known once the scenario is read.
      const std::optional<std::int64_t> spare = spare_slots(path);
      if (!spare) return;
      overrides.push_back(fmt::format("experts.redundant_experts={}", *spare));
    }
    const std::optional<Scenario> read = scenario_at(path, overrides);
    if (!read) return;
    if (!read->pools.empty()) {
      findings_.error("scenario", "has two pools, and a placement is for one expert group",
                      "give a scenario of the one pool");
      return;
    }
    const serving::Deployment& d = read->deployment;
    if (!d.model.is_moe()) {
      findings_.error("scenario", fmt::format("{} has no routed experts", d.model.name));
      return;
    }
    if (d.layout.ep < 2) {
      findings_.error("scenario", "its ep is 1: every GPU holds all experts of its part");
      return;
    }
    task_.layers = model_layers(d.model);
    task_.problem.routing = *routing::routing_shape(d.model);
    task_.scenario = read;
  }

  [[nodiscard]] std::optional<Scenario> scenario_at(const std::string& path,
                                                    const std::vector<std::string>& overrides) {
    try {
      return read_scenario_file(path, overrides, catalog_);
    } catch (const IoError& problem) {
      findings_.error("scenario", problem.what(), "paths start at the folder of this file");
    } catch (const InputError& problem) {
      for (const Diagnostic& found : problem.diagnostics()) findings_.add(found);
    }
    return std::nullopt;
  }

  [[nodiscard]] std::optional<std::int64_t> spare_slots(const std::string& path) {
    const std::optional<Scenario> plain = scenario_at(path, {});
    if (!plain) return std::nullopt;
    const auto shape = routing::routing_shape(plain->deployment.model);
    if (!shape || message_.slots() < shape->experts) {
      findings_.error("slots", fmt::format("must be at least the {} experts, got {}",
                                           shape ? shape->experts : 0, message_.slots()));
      return std::nullopt;
    }
    return message_.slots() - shape->experts;
  }

  void read_model() {
    const catalog::Model* model = catalog_.find_model(message_.model());
    if (model == nullptr) {
      std::vector<std::string> names;
      for (const catalog::Model& m : catalog_.models) names.push_back(m.name);
      findings_.error("model",
                      fmt::format("no model of the catalog is called {}", shown(message_.model())),
                      did_you_mean(message_.model(), names));
      return;
    }
    const auto shape = routing::routing_shape(*model);
    if (!shape || shape->moe_layers == 0) {
      findings_.error("model", fmt::format("{} has no routed experts of one shape", model->name));
      return;
    }
    task_.layers = model_layers(*model);
    task_.problem.routing = *shape;
  }

  void shape_of_scenario() {
    const serving::Deployment& d = task_.scenario->deployment;
    const topology::Topology topology(d.cluster);
    placement::PlacementShape& shape = task_.problem.shape;
    shape = serving::placement_shape(d, serving::expert_group_domains(d, topology));
    if (message_.has_gpus() && message_.gpus() != shape.ranks) {
      findings_.error("gpus",
                      fmt::format("the scenario's ep is {}, got {}", shape.ranks, message_.gpus()),
                      "leave it out");
    }
  }

  void shape() {
    placement::PlacementShape& shape = task_.problem.shape;
    const routing::RoutingShape& routing = task_.problem.routing;
    const std::int64_t gpus = count("gpus", message_.has_gpus(), message_.gpus(), kMostGpus);
    const std::int64_t slots =
        count("slots", message_.has_slots(), message_.slots(), std::int64_t{1} << 40);
    if (findings_.any()) return;
    const std::int64_t nodes = message_.has_nodes()
                                   ? checked_count(findings_, "nodes", message_.nodes(), 1, gpus)
                                   : std::max<std::int64_t>(1, gpus / kUsualGpusPerNode);
    if (gpus % nodes != 0 ||
        (!message_.has_nodes() && gpus > kUsualGpusPerNode && gpus % kUsualGpusPerNode != 0)) {
      findings_.error(message_.has_nodes() ? "nodes" : "gpus",
                      fmt::format("{} GPUs do not divide over {} nodes", gpus, nodes),
                      "give nodes, a divisor of gpus");
      return;
    }
    if (slots < routing.experts || slots % gpus != 0) {
      findings_.error("slots",
                      fmt::format("expected a multiple of {} GPUs that holds the {} experts, got "
                                  "{}",
                                  gpus, routing.experts, slots));
      return;
    }
    shape = {.moe_layers = routing.moe_layers,
             .experts = routing.experts,
             .ranks = gpus,
             .slots_per_rank = slots / gpus,
             .expert_groups = routing.groups,
             .domain_of_rank = {}};
    for (std::int64_t r = 0; r < gpus; ++r) {
      shape.domain_of_rank.push_back(static_cast<std::int32_t>(r / (gpus / nodes)));
    }
  }

  std::int64_t count(const char* name, bool given, std::int64_t value, std::int64_t most) {
    if (given) return checked_count(findings_, name, value, 1, most);
    findings_.missing(name, "is missing", "or give a scenario");
    return 1;
  }

  void placements() {
    if (task_.strategy == "rebalance" && !message_.has_current() && judged_.empty()) {
      task_.follows_drift = !task_.later.empty();
      if (!task_.follows_drift) {
        findings_.missing("current", "is missing: \"rebalance\" starts from a placement",
                          "name the placement file in use, or give routing that comes later");
      }
    }
    try {
      if (message_.has_current()) {
        task_.problem.current = interchange::read_placement(located(origin_, message_.current()),
                                                            task_.problem.shape, task_.layers);
      }
      if (!judged_.empty()) {
        task_.given = interchange::read_placement(judged_, task_.problem.shape, task_.layers);
      }
    } catch (const IoError& problem) {
      findings_.error(task_.problem.current || !message_.has_current() ? "" : "current",
                      problem.what());
    } catch (const InputError& problem) {
      for (const Diagnostic& found : problem.diagnostics()) findings_.add(found);
    }
  }

  const proto::Placement& message_;
  const TextOrigin& origin_;
  std::string judged_;
  const catalog::Catalog& catalog_;
  Findings& findings_;
  PlacementTask task_;
};

}  // namespace

PlacementTask read_placement_text(std::string_view text, const TextOrigin& origin,
                                  const std::vector<std::string>& overrides,
                                  const std::string& judged, const catalog::Catalog& catalog) {
  Findings findings(origin.file_name);
  proto::Placement message;
  const bool complete = read_message(text, origin.syntax, message, findings);
  for (const std::string& assignment : overrides) apply_override(assignment, message, findings);
  if (!complete) findings.throw_if_any();
  PlacementTask task = PlacementResolver(message, origin, judged, catalog, findings).resolve();
  findings.throw_if_any();
  return task;
}

PlacementTask read_placement_file(const std::string& path,
                                  const std::vector<std::string>& overrides,
                                  const std::string& judged, const catalog::Catalog& catalog) {
  return read_placement_text(read_file(path, kMaxInputBytes), origin_of(path), overrides, judged,
                             catalog);
}

}  // namespace moesim::scenario
