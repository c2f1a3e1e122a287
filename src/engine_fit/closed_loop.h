// A closed loop at steady state, priced iteration by iteration from remembered prices.
//
// The scheduler, the router's rule and the price of an iteration are the simulation's own; what
// makes this fast is that iterations which hold nearly the same work take the price of the first of
// their kind. Sums of what the iterations hold are kept beside the time, so that TTFT and TPOT come
// out as linear in the constants of an engine.
// Layer: engine_fit.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "plan/memory.h"
#include "scenario/scenario.h"
#include "serving/instance_cost.h"

namespace moesim::engine_fit {

/// What time is made of.
enum class Work : std::uint8_t {
  Kernels,  ///< Seconds, by curves and rooflines.
  Iterations,
  Sequences,  ///< Of the fullest rank: decoding sequences and prompt chunks.
  Prompts,    ///< Iterations that hold prompt tokens.
  PromptTokens,
  Exchanges,  ///< Seconds of collectives and exchanges, inside Kernels.
  Experts,    ///< Seconds of routed experts and waiting for them, inside Kernels.
  Attention,  ///< Seconds, inside Kernels.
  Launches,   ///< Seconds bound by launches, inside Kernels.
};
inline constexpr std::size_t kWorks = 9;
using WorkSum = std::array<double, kWorks>;

/// Prices of iterations of one deployment.
class IterationPrices {
 public:
  explicit IterationPrices(const scenario::Scenario& scenario);
  [[nodiscard]] const WorkSum& price(const std::vector<serving::RankBatch>& ranks);
  [[nodiscard]] const serving::Deployment& deployment() const { return deployment_; }
  [[nodiscard]] std::span<const serving::ContextLaw> laws() const { return model_.laws(); }
  [[nodiscard]] std::size_t priced() const { return known_.size(); }

 private:
  serving::Deployment deployment_;
  topology::Topology topology_;
  serving::ModelCost model_;
  std::optional<serving::ExpertPlan> experts_;
  std::unique_ptr<serving::InstanceCost> cost_;
  std::unordered_map<std::uint64_t, WorkSum> known_;
};

/// Constants of an engine that a loop is timed with.
struct LoopConstants {
  WorkSum weights{};        ///< Seconds per unit of work.
  double client_delay = 0;  ///< Mean of the exponential time from an answer to the next request.
};

struct LoopResult {
  std::int64_t requests = 0;
  WorkSum ttft{};  ///< Work between arrival and first token, mean.
  WorkSum tpot{};  ///< Work per token after the first, mean.
  double mean_running = 0;
};

struct LoopSettings {
  std::int64_t concurrency = 1;
  serving::SchedulerSettings scheduler{};
  std::int64_t kv_blocks = 0;  ///< Of one rank.
  workload::WorkloadModel lengths;
  std::uint64_t seed = 1;
  std::int64_t skip = 0;    ///< First requests that do not count.
  std::int64_t wanted = 1;  ///< Requests that count.
};

[[nodiscard]] LoopResult run_closed_loop(IterationPrices& prices, const LoopSettings& settings,
                                         const LoopConstants& constants);

[[nodiscard]] double weigh(const WorkSum& work, const WorkSum& weights);

}  // namespace moesim::engine_fit
