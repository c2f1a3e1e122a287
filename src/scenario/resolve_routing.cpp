// Where a scenario's tokens come from besides popularity: a recording, or drift.
#include <fmt/format.h>

#include <memory>
#include <utility>
#include <variant>

#include "interchange/routing_file.h"
#include "routing/popularity.h"
#include "scenario/model_layers.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"

namespace moesim::scenario {

void Resolver::resolve_drift(proto::PopularityDrift& drift) {
  const std::string path = "experts.drift";
  constexpr QuantityRange kStepRange{"1 s", LowEnd::Included, "30 d"};
  serving::DriftSettings settings;
  if (!drift.has_sigma()) drift.set_sigma(settings.sigma);
  settings.sigma =
      checked_real(findings_, path + ".sigma", drift.sigma(), 0.0, LowEnd::Excluded, 1.0);
  if (!drift.has_every()) drift.set_every("60 s");
  const auto every = checked_quantity<Seconds>(findings_, path + ".every", drift.every(),
                                               parse_seconds, kStepRange);
  if (every) settings.every = SimTime::from(*every);
  scenario_.deployment.experts.drift = settings;
}

void Resolver::read_routing_trace(proto::Experts& experts, const routing::RoutingShape& shape) {
  const std::string path = "experts.routing_trace";
  const auto refuse = [&](bool given, const char* field) {
    if (given) {
      error(join_path("experts", field), "is for tokens that are drawn, and a trace is named",
            "leave one of the two out");
    }
  };
  refuse(experts.has_popularity(), "popularity");
  refuse(experts.has_affinity(), "affinity");
  refuse(experts.has_drift(), "drift");
  if (!may_open(path)) return;
  const std::string file = located(experts.routing_trace());
  try {
    interchange::RoutingHints hints = interchange::hints_of(shape);
    hints.layers = model_layers(scenario_.deployment.model);
    interchange::RoutingRecord record = interchange::read_routing(file, hints);
    const routing::TokenTrace& tokens = record.tokens;
    if (tokens.empty()) {
      error(path, "has loads but no tokens", "name it as experts.popularity.recorded_file");
      return;
    }
    if (tokens.rows() != shape.moe_layers || tokens.experts != shape.experts ||
        tokens.top_k != shape.top_k) {
      error(path,
            fmt::format("has {} of {} experts a token in {} layers, the model {} of {} in {}",
                        tokens.top_k, tokens.experts, tokens.rows(), shape.top_k, shape.experts,
                        shape.moe_layers),
            "record every MoE layer of this model");
      return;
    }
    record.load.clear();  // What is replayed counts, not what else was recorded.
    const placement::Workload workload = interchange::to_workload(std::move(record), shape);
    std::vector<std::vector<double>> rows;
    for (std::int64_t layer = 0; layer < shape.moe_layers; ++layer) {
      const auto first = workload.load.begin() + layer * shape.experts;
      rows.emplace_back(first, first + shape.experts);
    }
    auto popularity = routing::recorded(shape, rows, "trace " + experts.routing_trace());
    if (const auto* problems = std::get_if<std::vector<std::string>>(&popularity)) {
      for (const std::string& problem : *problems) error(path, problem);
      return;
    }
    scenario_.deployment.experts.popularity = std::get<routing::Popularity>(std::move(popularity));
    scenario_.deployment.experts.recorded =
        std::make_shared<const routing::TokenBank>(workload.tokens);
    experts.set_routing_trace(absolute(experts.routing_trace()));
  } catch (const IoError& problem) {
    error(path, problem.what(), "paths start at the folder of this file");
  } catch (const InputError& problem) {
    for (const Diagnostic& diagnostic : problem.diagnostics()) findings_.add(diagnostic);
  }
}

}  // namespace moesim::scenario
