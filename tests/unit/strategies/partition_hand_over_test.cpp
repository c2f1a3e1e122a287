#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <vector>

#include "core/random.h"
#include "placement/evaluation.h"
#include "strategies/eplb.h"
#include "strategies/partition_cluster.h"
#include "strategies/partition_search.h"
#include "strategies/partition_start.h"
#include "tests/support/catch.h"
#include "tests/support/exact_placement.h"

namespace moesim::strategies {
namespace {

constexpr std::size_t kExperts = 6;
using Counts = std::array<int, kExperts>;

/// Six experts on two nodes of two ranks with two slots: two spare slots. Tokens of two experts.
struct TinyLayer {
  explicit TinyLayer(std::uint64_t seed) {
    RandomStream stream(seed, "tiny layer");
    std::vector<std::uint16_t> picks;
    for (int t = 0; t < 30; ++t) {
      const auto e = static_cast<std::uint16_t>(stream.below(stream.below(kExperts) + 1));
      const auto f = static_cast<std::uint16_t>((e + 1 + stream.below(kExperts - 1)) % kExperts);
      picks.insert(picks.end(), {e, f});
      load[e] += 1.0;
      load[f] += 1.0;
    }
    const std::vector<double> weight(picks.size() / 2, 1.0);
    tokens = make_nets(kExperts, 2, picks, weight);
    const double mean = std::accumulate(load.begin(), load.end(), 0.0) / 4.0;
    for (double& l : load) l = std::max(l, 1.0) / mean;
    balanced = eplb_layer(load, {.slots = 8, .groups = 1, .nodes = 1, .ranks = 4});
    separate_replicas(balanced, load, shape.slots_per_rank, shape.domain_of_rank);
    cap = fullest_gpu(balanced, load, 1, 2)[0];
  }
  [[nodiscard]] double copies(std::span<const std::int32_t> slots) const {
    CopyModel model(tokens, {0.5, 0.5});
    model.assign(slots, std::vector<std::int32_t>{0, 0, 0, 0, 1, 1, 1, 1});
    return model.cost();
  }
  [[nodiscard]] bool within_cap(std::span<const std::int32_t> slots) const {
    return fullest_gpu(slots, load, 1, 2)[0] <= cap * (1.0 + 1e-9);
  }

  placement::PlacementShape shape{.moe_layers = 1,
                                  .experts = kExperts,
                                  .ranks = 4,
                                  .slots_per_rank = 2,
                                  .domain_of_rank = {0, 0, 1, 1}};
  std::vector<double> load = std::vector<double>(kExperts, 0.0);
  LayerTokens tokens;
  std::vector<std::int32_t> balanced;
  double cap = 0.0;
};

Counts replicas(std::span<const std::int32_t> slots) {
  Counts counts{};
  for (const std::int32_t e : slots) ++counts[static_cast<std::size_t>(e)];
  return counts;
}

/// Fewest copies within the cap, of all plans or of those with the balancer's replicas.
double exact(const TinyLayer& layer, bool any_replicas) {
  const Counts given = replicas(layer.balanced);
  const auto copies = [&](std::span<const std::int32_t> slots) {
    if (!layer.within_cap(slots) || (!any_replicas && replicas(slots) != given)) {
      return std::numeric_limits<double>::infinity();
    }
    return layer.copies(slots);
  };
  return test::ExactSearch(layer.shape, copies, false).run().value;
}

/// The best of several rounds; every round's plan keeps the cap and its count of copies.
double searched(const TinyLayer& layer) {
  const Cluster cluster(layer.shape);
  std::vector<double> load = layer.load;
  for (double& l : load) l /= layer.cap;
  CopyModel copies(layer.tokens, {0.5, 0.5});
  RandomStream stream(1, "hand over test");
  NodeSearch search(layer.tokens, {{.copies = &copies, .part_of_node = {0, 1}}}, cluster.grid, load,
                    1, layer.balanced, nullptr, stream);
  double least = search.cost();
  for (int round = 0; round < 12; ++round) {
    search.anneal({.hot = 0.3, .cold = 0.01, .work = 3'000'000});
    CHECK_THAT(search.cost(), test::WithinAbs(layer.copies(search.slots()), 1e-9));
    for (std::size_t n = 0; n < 2; ++n) CHECK(search.pack(n));
    least = std::min(least, search.cost());
  }
  return least;
}

TEST_CASE("partition: spare slots and places together reach the exact optimum of tiny layers",
          "[partition][oracle]") {
  constexpr int kLayers = 16;
  int reached = 0;
  int by_other_replicas = 0;
  for (int l = 0; l < kLayers; ++l) {
    const TinyLayer layer(static_cast<std::uint64_t>(l));
    const double joint = exact(layer, true);
    const double given = exact(layer, false);
    const double found = searched(layer);
    INFO("layer " << l << ": best " << joint << ", with the balancer's replicas " << given
                  << ", found " << found);
    CHECK(found >= joint - 1e-9);
    reached += found <= joint + 1e-9 ? 1 : 0;
    by_other_replicas += found < given - 1e-9 ? 1 : 0;
  }
  INFO(reached << " of " << kLayers << " optimal, " << by_other_replicas << " by other replicas");
  // Where the cap leaves hardly a way between plans the search stays at the balancer's.
  CHECK(reached >= kLayers * 3 / 4);
  CHECK(by_other_replicas >= 1);
}

TEST_CASE("partition: what a slot more or less costs an expert alone", "[partition][oracle]") {
  // One token {0, 1}; expert 0 on nodes 0 and 1, expert 1 on node 1; two nodes, each remote to half
  // of the sources. Expert 0 as it lies, were it alone where 1 is not: random replica, node 0:
  // 1/2 * 1/2 = 0.25, node 1 has the token's other expert: 0; locality first: node 1 is reached
  // anyhow: 0. Half the sum 0.125.
  const std::vector<std::uint16_t> picks = {0, 1};
  const std::vector<double> weight = {1.0};
  const LayerTokens tokens = make_nets(2, 2, picks, weight);
  CopyModel copies(tokens, {0.5, 0.5});
  copies.assign(std::vector<std::int32_t>{0, 0, 1}, std::vector<std::int32_t>{0, 1, 1});
  constexpr std::size_t kNowhere = CopyModel::kNowhere;
  CHECK_THAT(copies.spread_estimate(0, kNowhere, kNowhere, 1.0), test::WithinAbs(0.125, 1e-12));
  // Without its replica on node 1, all of it on node 0: random 0.5; locality first: the source is
  // elsewhere with chance 1/2: 0.5. Half the sum 0.5. Without the one on node 0: nothing.
  CHECK_THAT(copies.spread_estimate(0, 1, kNowhere, 1.0), test::WithinAbs(0.5, 1e-12));
  CHECK_THAT(copies.spread_estimate(0, 0, kNowhere, 1.0), test::WithinAbs(0.0, 1e-12));
}

}  // namespace
}  // namespace moesim::strategies
