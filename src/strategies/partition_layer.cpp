#include "strategies/partition_layer.h"

#include <algorithm>

#include "core/random.h"
#include "strategies/partition_copies.h"
#include "strategies/partition_drift.h"
#include "strategies/partition_gpus.h"
#include "strategies/partition_search.h"
#include "strategies/partition_settle.h"
#include "strategies/partition_tokens.h"

namespace moesim::strategies {
namespace {

constexpr std::size_t kSample = 2048;       ///< Tokens of the first round, and of drawn layers.
constexpr std::size_t kMostTokens = 16384;  ///< Of each workload.
constexpr double kFirstRound = 200.0;       ///< Work per pin of the sample.
constexpr double kGrowth = 1.3;             ///< Of the rounds' work.
constexpr double kMostWork = 60000.0;       ///< Per pin; more is of no use.
constexpr std::int64_t kNetsWork = 60;      ///< Of building nets, per pin.
constexpr std::int64_t kModelWork = 8;      ///< Of the tables of copies, per pin and node.
constexpr std::int64_t kFreeSetup = 20'000'000;  ///< Set-up that any budget has.
constexpr double kRackWeight = 1.0;              ///< What a copy into another rack costs besides.
/// By what the drift risk may lie above the start's, at small and at large noise.
constexpr DriftRisk::Sums kDriftRoom = {0.004, 0.002};
constexpr std::int64_t kSettleSteps = 40;  ///< Exchanges per node.

/// Copies between nodes and, if there are several, between racks.
struct Levels {
  Levels(const LayerTokens& tokens, const Cluster& cluster) {
    std::vector<std::size_t> itself(cluster.grid.nodes());
    for (std::size_t n = 0; n < itself.size(); ++n) itself[n] = n;
    const bool racks = cluster.racks > 1 && cluster.racks < itself.size();
    models.reserve(2);
    add(tokens, cluster, itself, itself.size(), 1.0);
    if (racks) add(tokens, cluster, cluster.rack_of_node, cluster.racks, kRackWeight);
  }
  void add(const LayerTokens& tokens, const Cluster& cluster,
           const std::vector<std::size_t>& part_of_node, std::size_t parts, double weight) {
    std::vector<double> remote(parts, 1.0);
    for (std::size_t n = 0; n < cluster.grid.nodes(); ++n) {
      remote[part_of_node[n]] -=
          static_cast<double>(cluster.grid.gpus[n]) / static_cast<double>(cluster.rank_at.size());
    }
    models.emplace_back(tokens, remote);
    levels.push_back({.copies = nullptr, .part_of_node = part_of_node, .weight = weight});
  }
  std::vector<CopyLevel> bound() {
    for (std::size_t i = 0; i < levels.size(); ++i) levels[i].copies = &models[i];
    return levels;
  }
  std::vector<CopyModel> models;
  std::vector<CopyLevel> levels;
};

class LayerSearch {
 public:
  LayerSearch(const LayerTask& task, std::span<const double> cap,
              const std::vector<std::int32_t>& from)
      : task_(task),
        cap_(cap),
        load_(task.start.load),
        best_(task.cluster.by_position(from)),
        stream_(task.seed, "partition", static_cast<std::uint64_t>(task.layer)) {
    for (std::size_t i = 0; i < load_.size(); ++i) load_[i] /= cap[i % cap.size()];
    if (task.start.workloads == 1) guard_drift();
  }

  double run(std::int64_t work) {
    const LayerTokens sample = layer_tokens(task_.problem, task_.layer, kSample, task_.seed);
    if (sample.nets() == 0 || setup_work(sample.pin.size()) > work + kFreeSetup) return 0.0;
    spent_ += kNetsWork * static_cast<std::int64_t>(sample.pin.size());
    const double first = kFirstRound * static_cast<double>(sample.pin.size() + best_.size());
    work = std::min(work, static_cast<std::int64_t>(kMostWork / kFirstRound * first));
    const std::size_t tokens = recorded_tokens(task_.problem, task_.layer, kMostTokens);
    if (tokens == 0) return whole_gpus(sample, work);
    const auto first_round = static_cast<std::int64_t>(first);
    const bool all_fit = spent_ + setup_work(tokens * sample.top_k) + 4 * first_round <= work;
    if (tokens <= kSample || !all_fit) return rounds(sample, work, first);
    rounds(sample, spent_ + first_round, first);
    const LayerTokens all = layer_tokens(task_.problem, task_.layer, kMostTokens, task_.seed);
    spent_ += kNetsWork * static_cast<std::int64_t>(all.pin.size());
    return rounds(all, work, first);
  }

  /// The best plan on GPUs, in order of ranks; nothing if it does not pack.
  [[nodiscard]] std::optional<std::vector<std::int32_t>> on_gpus();

 private:
  double whole_gpus(const LayerTokens& tokens, std::int64_t work) {
    Levels levels(tokens, task_.cluster);
    best_ = exchange_gpus(levels.bound(), task_.cluster.grid, std::move(best_), work, stream_);
    packed_ = true;
    return levels.models.front().cost();
  }

  /// Of nets and their tables.
  [[nodiscard]] std::int64_t setup_work(std::size_t pins) const {
    const auto nodes = static_cast<std::int64_t>(task_.cluster.grid.nodes());
    return static_cast<std::int64_t>(pins) * (kNetsWork + kModelWork * nodes);
  }

  void guard_drift() {
    std::vector<double> share = load_;
    std::vector<double> count(share.size(), 0.0);
    for (const std::int32_t e : task_.start.slots) count[static_cast<std::size_t>(e)] += 1.0;
    for (std::size_t e = 0; e < share.size(); ++e) share[e] /= count[e];
    DriftRisk::Sums room = kDriftRoom;
    // A cap above the start's leaves as much more to drift.
    for (double& r : room) r += std::max(cap_[0] / task_.start.cap[0] - 1.0, 0.0);
    drift_.emplace(task_.start.slots, share, task_.cluster.grid.slots_per_gpu, room);
    spent_ += 16'000 + 1'500 * static_cast<std::int64_t>(share.size());
  }

  /// Rounds on these tokens while the work lasts; the copies of the best plan.
  double rounds(const LayerTokens& tokens, std::int64_t work, double first) {
    Levels levels(tokens, task_.cluster);
    NodeSearch search(tokens, levels.bound(), task_.cluster.grid, load_, task_.start.workloads,
                      best_, drift_.has_value() ? &*drift_ : nullptr, stream_);
    double least = search.cost();
    const std::int64_t before = spent_;
    spent_ = before + search.work();
    double next = first;
    for (bool any = false; spent_ + static_cast<std::int64_t>(next) <= work || !any;
         next *= kGrowth) {
      const auto granted =
          std::min(static_cast<std::int64_t>(next), std::max(work - spent_, std::int64_t{0}));
      search.anneal({.hot = any ? kReheat : kHot, .cold = kCold, .work = granted});
      any = true;
      spent_ = before + search.work();
      if (search.cost() >= least) continue;
      least = search.cost();
      best_ = search.slots();
    }
    return least;
  }

  static constexpr double kHot = 0.03;
  static constexpr double kReheat = 0.06;
  static constexpr double kCold = 0.006;

  const LayerTask& task_;
  std::span<const double> cap_;
  std::vector<double> load_;        ///< [experts * workloads], 1: what a GPU may carry.
  std::vector<std::int32_t> best_;  ///< By position.
  RandomStream stream_;
  std::optional<DriftRisk> drift_;
  std::int64_t spent_ = 0;
  bool packed_ = false;  ///< best_ is GPU by GPU already.
};

std::optional<std::vector<std::int32_t>> LayerSearch::on_gpus() {
  if (packed_) return task_.cluster.by_rank(best_);
  const NodeGrid& grid = task_.cluster.grid;
  const std::size_t workloads = task_.start.workloads;
  std::vector<double> share = load_;
  std::vector<double> count(share.size() / workloads, 0.0);
  for (const std::int32_t e : best_) count[static_cast<std::size_t>(e)] += 1.0;
  for (std::size_t i = 0; i < share.size(); ++i) share[i] /= count[i / workloads];
  if (drift_.has_value()) {
    for (std::size_t e = 0; e < share.size(); ++e) drift_->set_share(e, share[e]);
  }
  Packer packer(grid.slots_per_gpu, workloads);
  std::vector<std::int32_t> slots(best_.size());
  for (std::size_t n = 0; n < grid.nodes(); ++n) {
    const auto size = grid.first[n + 1] - grid.first[n];
    const auto node = std::span(best_).subspan(grid.first[n], size);
    if (!packer.pack(node, share)) return std::nullopt;
    const auto packed = std::span(slots).subspan(grid.first[n], size);
    for (std::size_t g = 0; g < grid.gpus[n]; ++g) {
      for (std::size_t i = 0; i < grid.slots_per_gpu; ++i) {
        packed[g * grid.slots_per_gpu + i] = node[packer.slots_of(g)[i]];
      }
    }
    if (drift_.has_value() && grid.slots_per_gpu > 1) {
      settle(packed, share, grid.slots_per_gpu, *drift_, 1.0, kSettleSteps);
    }
  }
  return task_.cluster.by_rank(slots);
}

}  // namespace

LayerPlan plan_layer(const LayerTask& task, std::span<const double> cap, std::int64_t work,
                     const std::vector<std::int32_t>* from) {
  const std::vector<std::int32_t>& start = from != nullptr ? *from : task.start.slots;
  LayerPlan plan{.slots = start, .copies = 0.0, .fullest = 0.0};
  if (task.cluster.grid.nodes() > 1) {
    LayerSearch search(task, cap, start);
    plan.copies = search.run(work);
    if (std::optional<std::vector<std::int32_t>> packed = search.on_gpus()) {
      plan.slots = std::move(*packed);
    }
  }
  const std::vector<double> fullest = fullest_gpu(plan.slots, task.start.load, task.start.workloads,
                                                  task.cluster.grid.slots_per_gpu);
  plan.fullest = *std::max_element(fullest.begin(), fullest.end());
  return plan;
}

}  // namespace moesim::strategies
