// Where the experts of a scenario lie: a strategy by name, with what it may spend.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "interchange/placement_file.h"
#include "scenario/model_layers.h"
#include "scenario/outline.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"
#include "serving/expert_plan.h"
#include "strategies/strategy.h"

namespace moesim::scenario {
namespace {

constexpr QuantityRange kBudgetRange{"1 ms", LowEnd::Included, "1 h"};
/// A run starts within about a second of it.
constexpr const char* kDefaultBudget = "1 s";

}  // namespace

std::string Resolver::known_strategy(const std::string& path, const std::string& name) {
  std::vector<std::string> names = strategies::strategy_names();
  // A run that starts has no placement to begin with; experts.rebalancing has.
  if (path == "experts.placement.strategy") std::erase(names, "rebalance");
  if (std::find(names.begin(), names.end(), name) == names.end()) {
    error(path, fmt::format("expected {}, got {}", alternatives(names), shown(name)),
          did_you_mean(name, names));
  }
  return name;
}

void Resolver::read_placement_file(proto::ExpertPlacement& placement) {
  const std::string path = "experts.placement";
  for (const char* field : {"budget", "slack"}) {
    const bool given = field[0] == 'b' ? placement.has_budget() : placement.has_slack();
    if (given) error(join_path(path, field), "is for strategies, and a file is named");
  }
  const std::string at = path + ".file";
  if (!has_layout_ || !may_open(at)) return;
  const serving::Deployment& d = scenario_.deployment;
  const auto shape = serving::placement_shape(
      d, std::vector<std::int32_t>(static_cast<std::size_t>(d.layout.ep), 0));
  try {
    placement::Placement read =
        interchange::read_placement(located(placement.file()), shape, model_layers(d.model));
    read.strategy = "file " + placement.file();
    scenario_.deployment.experts.placement.given =
        std::make_shared<const placement::Placement>(std::move(read));
    scenario_.deployment.experts.placement.strategy = "file";
    placement.set_file(absolute(placement.file()));
  } catch (const IoError& problem) {
    error(at, problem.what(), "paths start at the folder of this file");
  } catch (const InputError& problem) {
    for (const Diagnostic& diagnostic : problem.diagnostics()) findings_.add(diagnostic);
  }
}

void Resolver::resolve_placement(proto::ExpertPlacement& placement) {
  const std::string path = "experts.placement";
  serving::PlacementSettings& settings = scenario_.deployment.experts.placement;
  if (placement.kind_case() == proto::ExpertPlacement::KIND_NOT_SET) {
    placement.set_strategy("contiguous");
  }
  if (placement.has_file()) {
    read_placement_file(placement);
    return;
  }
  settings.strategy = known_strategy(path + ".strategy", placement.strategy());
  if (!placement.has_budget()) placement.set_budget(kDefaultBudget);
  const auto budget = checked_quantity<Seconds>(findings_, path + ".budget", placement.budget(),
                                                parse_seconds, kBudgetRange);
  if (budget) settings.budget = *budget / kSecond;
  if (!placement.has_slack()) placement.set_slack(0.0);
  settings.slack =
      checked_real(findings_, path + ".slack", placement.slack(), 0.0, LowEnd::Included, 1.0);
}

void Resolver::resolve_rebalancing(proto::ExpertRebalancing& rebalancing) {
  const std::string path = "experts.rebalancing.";
  constexpr std::int64_t kUsualWindow = 1000;
  constexpr std::int64_t kMostIterations = 1'000'000'000;
  serving::RebalancingSettings settings;
  if (has_layout_ && scenario_.deployment.layout.ep == 1) {
    error("experts.rebalancing", "with ep 1 there are no ranks to move experts between",
          "leave it out, or set deployment.ep");
  }
  const auto count = [&](bool given, std::int64_t value, std::int64_t by_default, const char* field,
                         std::int64_t most) {
    return given ? checked_count(findings_, path + field, value, 1, most) : by_default;
  };
  settings.every_iterations =
      count(rebalancing.has_every_iterations(), rebalancing.every_iterations(),
            settings.every_iterations, "every_iterations", kMostIterations);
  settings.window_iterations =
      count(rebalancing.has_window_iterations(), rebalancing.window_iterations(),
            std::min(settings.every_iterations, kUsualWindow), "window_iterations",
            settings.every_iterations);
  if (rebalancing.has_balancedness_below()) {
    settings.balancedness_below =
        checked_real(findings_, path + "balancedness_below", rebalancing.balancedness_below(), 0.0,
                     LowEnd::Excluded, 1.0);
  }
  if (!rebalancing.has_strategy()) rebalancing.set_strategy(settings.strategy);
  settings.strategy = known_strategy(path + "strategy", rebalancing.strategy());
  if (!rebalancing.has_budget()) rebalancing.set_budget("200 ms");
  const auto budget = checked_quantity<Seconds>(findings_, path + "budget", rebalancing.budget(),
                                                parse_seconds, kBudgetRange);
  if (budget) settings.budget = *budget / kSecond;
  if (rebalancing.has_most_moved()) {
    settings.most_moved = checked_real(findings_, path + "most_moved", rebalancing.most_moved(),
                                       0.0, LowEnd::Included, 1.0);
    if (settings.strategy != "rebalance") {
      error(path + "most_moved",
            fmt::format("only strategy \"rebalance\" counts moves, got \"{}\"", settings.strategy),
            "leave it out, or change the strategy");
    }
  }
  if (rebalancing.has_layers_per_iteration()) {
    settings.layers_per_iteration = checked_count(findings_, path + "layers_per_iteration",
                                                  rebalancing.layers_per_iteration(), 1, 1024);
  }
  rebalancing.set_every_iterations(settings.every_iterations);
  rebalancing.set_window_iterations(settings.window_iterations);
  rebalancing.set_balancedness_below(settings.balancedness_below);
  scenario_.deployment.experts.rebalancing = settings;
}

}  // namespace moesim::scenario
