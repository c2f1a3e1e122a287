// Where the experts of a scenario lie: a strategy by name, with what it may spend.
#include <fmt/format.h>

#include <algorithm>

#include "scenario/outline.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"
#include "strategies/strategy.h"

namespace moesim::scenario {
namespace {

constexpr QuantityRange kBudgetRange{"1 ms", LowEnd::Included, "1 h"};
/// A run starts within about a second of it.
constexpr const char* kDefaultBudget = "1 s";

}  // namespace

void Resolver::resolve_placement(proto::ExpertPlacement& placement) {
  const std::string path = "experts.placement";
  serving::PlacementSettings& settings = scenario_.deployment.experts.placement;
  if (placement.kind_case() == proto::ExpertPlacement::KIND_NOT_SET) {
    placement.set_strategy("contiguous");
  }
  const std::vector<std::string> names = strategies::strategy_names();
  settings.strategy = placement.strategy();
  if (std::find(names.begin(), names.end(), settings.strategy) == names.end()) {
    error(path + ".strategy",
          fmt::format("expected {}, got {}", alternatives(names), shown(settings.strategy)),
          did_you_mean(settings.strategy, names));
  }
  if (!placement.has_budget()) placement.set_budget(kDefaultBudget);
  const auto budget = checked_quantity<Seconds>(findings_, path + ".budget", placement.budget(),
                                                parse_seconds, kBudgetRange);
  if (budget) settings.budget = *budget / kSecond;
  if (!placement.has_slack()) placement.set_slack(0.0);
  settings.slack =
      checked_real(findings_, path + ".slack", placement.slack(), 0.0, LowEnd::Included, 1.0);
}

}  // namespace moesim::scenario
