// What all instances of a run share of their experts: routing tables and the first placement.
//
// A placement depends on the model, the expert group, its nodes, the popularity, the strategy and
// the seed alone: candidates of a sweep that agree in these share it through an ExpertPlanStore.
// Layer: serving.
#pragma once

#include <cstdint>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "placement/placement.h"
#include "placement/problem.h"
#include "routing/expert_router.h"
#include "routing/token_bank.h"
#include "serving/deployment.h"
#include "strategies/strategy.h"
#include "topology/topology.h"

namespace moesim::serving {

/// Where tokens come from, and the placement: made once per run, shared by all instances.
struct ExpertPlan {
  routing::RoutingShape routing;
  std::shared_ptr<const routing::ExpertRouter> router{};  ///< Null where there is a bank.
  std::shared_ptr<const routing::TokenBank> bank{};
  std::shared_ptr<const placement::Placement> placement;
};

/// Remembers placements and banks of tokens that runs of one process have made. Safe to use from
/// several threads; what it answers does not depend on what it has been asked before.
class ExpertPlanStore {
 public:
  /// That of the strategy, made at the first call. Throws what the strategy throws.
  [[nodiscard]] std::shared_ptr<const placement::Placement> placement(
      const placement::Problem& problem, const std::string& strategy,
      const strategies::SearchOptions& options);
  /// Tokens drawn by the affinity model (routing::draw_tokens).
  [[nodiscard]] std::shared_ptr<const routing::TokenBank> bank(
      const routing::RoutingShape& shape, const routing::Popularity& popularity,
      const AffinitySettings& affinity, std::uint64_t seed, std::uint64_t sample);
  /// Placements remembered.
  [[nodiscard]] std::int64_t made() const;

 private:
  template <class T>
  using Known = std::map<std::string, std::shared_future<std::shared_ptr<const T>>>;
  template <class T, class Make>
  std::shared_ptr<const T> recall(Known<T>& known, std::size_t most, const std::string& key,
                                  const Make& make);

  mutable std::mutex guard_;
  Known<placement::Placement> placements_;
  Known<routing::TokenBank> banks_;
};

/// Whether a strategy plans by the experts of tokens, not by loads alone.
[[nodiscard]] bool plans_by_tokens(const std::string& strategy);

/// Scale-up domain of each rank of the expert group (that of the first instance).
[[nodiscard]] std::vector<std::int32_t> expert_group_domains(const Deployment& deployment,
                                                             const topology::Topology& topology);

/// Slots of the deployment's expert group. Preconditions: a mixture of experts whose layers have
/// one shape; ep divides its experts and spares.
[[nodiscard]] placement::PlacementShape placement_shape(const Deployment& deployment,
                                                        std::vector<std::int32_t> group_domains);

/// Empty for a dense model. `store`, where given, is asked for the placement.
[[nodiscard]] std::optional<ExpertPlan> make_expert_plan(const Deployment& deployment,
                                                         const topology::Topology& topology,
                                                         std::uint64_t seed,
                                                         ExpertPlanStore* store = nullptr);

}  // namespace moesim::serving
