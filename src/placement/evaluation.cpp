#include "placement/evaluation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>

#include "core/check.h"
#include "core/index.h"
#include "core/random.h"
#include "placement/replica_shares.h"

namespace moesim::placement {
namespace {

double max_over_mean(std::span<const double> load) {
  const double mean =
      std::accumulate(load.begin(), load.end(), 0.0) / static_cast<double>(load.size());
  return *std::max_element(load.begin(), load.end()) / mean;
}

double max_over_mean(std::span<const std::int64_t> tokens, double mean) {
  return static_cast<double>(*std::max_element(tokens.begin(), tokens.end())) / mean;
}

/// Domains numbered from 0 without gaps.
std::vector<std::uint32_t> dense_domains(const PlacementShape& shape) {
  std::vector<std::int32_t> names(shape.domain_of_rank);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::vector<std::uint32_t> domain;
  for (const std::int32_t d : shape.domain_of_rank) {
    domain.push_back(static_cast<std::uint32_t>(std::lower_bound(names.begin(), names.end(), d) -
                                                names.begin()));
  }
  return domain;
}

/// One replica of an expert, and where it lies.
struct Replica {
  std::uint32_t rank = 0;
  std::uint32_t domain = 0;
};

/// Replicas of each expert of one layer, in the order of their slots.
class Replicas {
 public:
  Replicas(std::span<const std::int32_t> expert_of_slot, std::int64_t experts,
           std::int64_t slots_per_rank, std::span<const std::uint32_t> domain_of_rank)
      : first_(as_index(experts) + 1, 0), replica_(expert_of_slot.size()) {
    for (const std::int32_t e : expert_of_slot) ++first_[as_index(e) + 1];
    std::partial_sum(first_.begin(), first_.end(), first_.begin());
    std::vector<std::uint32_t> next(first_.begin(), first_.end() - 1);
    for (std::size_t s = 0; s < expert_of_slot.size(); ++s) {
      const std::size_t rank = s / as_index(slots_per_rank);
      replica_[next[as_index(expert_of_slot[s])]++] = {.rank = static_cast<std::uint32_t>(rank),
                                                       .domain = domain_of_rank[rank]};
    }
  }
  [[nodiscard]] std::span<const Replica> of(std::uint16_t expert) const {
    return {&replica_[first_[expert]], first_[expert + 1U] - first_[expert]};
  }

 private:
  std::vector<std::uint32_t> first_;
  std::vector<Replica> replica_;
};

/// The nodes that one token's copies go to. `begin` empties it in constant time.
class NodeSet {
 public:
  explicit NodeSet(std::size_t domains) : stamp_(domains, 0) {}
  void begin(std::uint32_t own) {
    ++now_;
    stamp_[own] = now_;
    added_ = 0;
  }
  void add(std::uint32_t domain) {
    added_ += stamp_[domain] != now_ ? 1 : 0;
    stamp_[domain] = now_;
  }
  [[nodiscard]] bool has(std::uint32_t domain) const { return stamp_[domain] == now_; }
  [[nodiscard]] std::int64_t remote() const { return added_; }

 private:
  std::vector<std::uint64_t> stamp_;
  std::uint64_t now_ = 0;
  std::int64_t added_ = 0;
};

/// An expert of the token with more than one replica, and its hash.
struct Choice {
  std::uint16_t expert = 0;
  std::uint64_t hash = 0;
};

/// The `hash`-th of the replicas that `accepted` holds for; nullptr if there is none.
template <class Accepted>
const Replica* pick_among(std::span<const Replica> replicas, std::uint64_t hash,
                          Accepted accepted) {
  const auto count =
      static_cast<std::uint64_t>(std::count_if(replicas.begin(), replicas.end(), accepted));
  if (count == 0) return nullptr;
  std::uint64_t skip = hash % count;
  for (const Replica& replica : replicas) {
    if (accepted(replica) && skip-- == 0) return &replica;
  }
  return nullptr;
}

/// Counts of the tokens of one layer under the three ways to choose a replica.
class LayerCount {
 public:
  LayerCount(const Replicas& replicas, std::int64_t experts, std::size_t ranks, std::size_t domains)
      : replicas_(replicas),
        random_nodes_(domains),
        locality_nodes_(domains),
        expert_tokens_(as_index(experts), 0.0),
        random_tokens_(ranks, 0),
        locality_tokens_(ranks, 0) {}

  /// `key`: token number and layer, as the upper bits of the replica's hash.
  void add(std::span<const std::uint16_t> experts, std::uint32_t own, std::uint64_t key) {
    random_nodes_.begin(own);
    locality_nodes_.begin(own);
    choices_.clear();
    for (const std::uint16_t e : experts) {
      const std::span<const Replica> replicas = replicas_.of(e);
      expert_tokens_[e] += 1.0;
      Replica replica = replicas.front();
      if (replicas.size() == 1) {
        locality_nodes_.add(replica.domain);
        ++locality_tokens_[replica.rank];
      } else {
        const std::uint64_t hash = mix64(key | e);
        choices_.push_back({.expert = e, .hash = hash});
        replica = replicas[hash % replicas.size()];
      }
      random_nodes_.add(replica.domain);
      ++random_tokens_[replica.rank];
      per_pick_ += replica.domain != own ? 1 : 0;
    }
    add_locality_choices(own);
    random_ += random_nodes_.remote();
    locality_ += locality_nodes_.remote();
  }

  [[nodiscard]] TokenScore score(std::int64_t tokens, std::int64_t top_k) const {
    const auto n = static_cast<double>(tokens);
    const double mean = n * static_cast<double>(top_k) / static_cast<double>(random_tokens_.size());
    return {.copies_random = static_cast<double>(random_) / n,
            .copies_locality = static_cast<double>(locality_) / n,
            .copies_per_pick = static_cast<double>(per_pick_) / n,
            .batch_random = max_over_mean(random_tokens_, mean),
            .batch_locality = max_over_mean(locality_tokens_, mean)};
  }
  [[nodiscard]] const std::vector<double>& expert_tokens() const { return expert_tokens_; }

 private:
  /// Experts with a choice, by number: own node, else a node already sent to, else any.
  void add_locality_choices(std::uint32_t own) {
    std::sort(choices_.begin(), choices_.end(),
              [](const Choice& a, const Choice& b) { return a.expert < b.expert; });
    for (const Choice& choice : choices_) {
      const std::span<const Replica> replicas = replicas_.of(choice.expert);
      const Replica* replica =
          pick_among(replicas, choice.hash, [&](const Replica& r) { return r.domain == own; });
      if (replica == nullptr) {
        replica = pick_among(replicas, choice.hash,
                             [&](const Replica& r) { return locality_nodes_.has(r.domain); });
      }
      if (replica == nullptr) replica = &replicas[choice.hash % replicas.size()];
      locality_nodes_.add(replica->domain);
      ++locality_tokens_[replica->rank];
    }
  }

  const Replicas& replicas_;
  NodeSet random_nodes_;
  NodeSet locality_nodes_;
  std::vector<Choice> choices_;
  std::vector<double> expert_tokens_;
  std::vector<std::int64_t> random_tokens_;
  std::vector<std::int64_t> locality_tokens_;
  std::int64_t random_ = 0;
  std::int64_t locality_ = 0;
  std::int64_t per_pick_ = 0;
};

/// Where things lie, once for all layers.
struct Ground {
  std::vector<std::uint32_t> domain_of_rank;
  std::size_t domains = 0;
  std::vector<std::uint32_t> source_domain{};  ///< [tokens]
};

Ground ground_of(const PlacementShape& shape, const routing::TokenTrace& tokens) {
  Ground ground{.domain_of_rank = dense_domains(shape)};
  for (const std::uint32_t d : ground.domain_of_rank) {
    ground.domains = std::max<std::size_t>(ground.domains, d + 1U);
  }
  for (const std::uint64_t request : tokens.request) {
    ground.source_domain.push_back(
        ground.domain_of_rank[mix64(request) % static_cast<std::uint64_t>(shape.ranks)]);
  }
  return ground;
}

TokenScore score_row(std::span<const std::int32_t> expert_of_slot, const PlacementShape& shape,
                     const routing::TokenTrace& tokens, std::int64_t row, const Ground& ground,
                     const Judgement& judgement) {
  const Replicas replicas(expert_of_slot, shape.experts, shape.slots_per_rank,
                          ground.domain_of_rank);
  LayerCount count(replicas, shape.experts, as_index(shape.ranks), ground.domains);
  const std::span<const std::uint16_t> experts = tokens.experts_of(row);
  const auto top_k = as_index(tokens.top_k);
  const auto layer = static_cast<std::uint64_t>(tokens.layer[as_index(row)]);
  for (std::size_t t = 0; t < tokens.request.size(); ++t) {
    count.add(experts.subspan(t * top_k, top_k), ground.source_domain[t],
              static_cast<std::uint64_t>(t) << 32 | layer << 16);
  }
  TokenScore score = count.score(tokens.tokens(), tokens.top_k);
  if (judgement.batch_optimal) {
    // Flows of whole tokens exist for every whole largest load from the fractional optimum on.
    const double largest =
        optimal_split(expert_of_slot, count.expert_tokens(), shape.slots_per_rank).largest;
    score.batch_optimal = std::ceil(largest - 1e-6) * static_cast<double>(shape.ranks) /
                          static_cast<double>(tokens.tokens() * tokens.top_k);
  }
  return score;
}

TokenScore mean_of(const std::vector<LayerScore>& layers, std::int64_t rows) {
  TokenScore mean;
  const double part = 1.0 / static_cast<double>(rows);
  for (const LayerScore& layer : layers) {
    if (!layer.tokens) continue;
    mean.copies_random += part * layer.tokens->copies_random;
    mean.copies_locality += part * layer.tokens->copies_locality;
    mean.copies_per_pick += part * layer.tokens->copies_per_pick;
    mean.batch_random += part * layer.tokens->batch_random;
    mean.batch_locality += part * layer.tokens->batch_locality;
    mean.batch_optimal += part * layer.tokens->batch_optimal;
  }
  return mean;
}

}  // namespace

double balance(std::span<const std::int32_t> expert_of_slot, std::span<const double> load,
               std::int64_t slots_per_rank) {
  std::vector<double> share(load.size(), 0.0);
  for (const std::int32_t e : expert_of_slot) share[as_index(e)] += 1.0;
  for (std::size_t e = 0; e < share.size(); ++e) share[e] = load[e] / std::max(share[e], 1.0);
  std::vector<double> rank_load(expert_of_slot.size() / as_index(slots_per_rank), 0.0);
  for (std::size_t s = 0; s < expert_of_slot.size(); ++s) {
    rank_load[s / as_index(slots_per_rank)] += share[as_index(expert_of_slot[s])];
  }
  return max_over_mean(rank_load);
}

Score evaluate(const Placement& placement, const Workload& workload, const Judgement& judgement) {
  const PlacementShape& shape = placement.shape;
  MOESIM_CHECK(std::ssize(workload.load) == shape.moe_layers * shape.experts,
               "a workload has one load per layer and expert of the placement");
  const Ground ground = ground_of(shape, workload.tokens);
  const double layers = static_cast<double>(shape.moe_layers);
  Score score;
  for (std::int64_t l = 0; l < shape.moe_layers; ++l) {
    const auto slots = std::span(placement.expert_of_slot)
                           .subspan(as_index(l * shape.slots()), as_index(shape.slots()));
    const auto load =
        std::span(workload.load).subspan(as_index(l * shape.experts), as_index(shape.experts));
    LayerScore layer{.balance = balance(slots, load, shape.slots_per_rank)};
    const auto row = workload.tokens.empty() ? std::nullopt : workload.tokens.row_of(l);
    if (row) layer.tokens = score_row(slots, shape, workload.tokens, *row, ground, judgement);
    score.balance_mean += layer.balance / layers;
    score.balance_worst = std::max(score.balance_worst, layer.balance);
    score.balancedness += 1.0 / layer.balance / layers;
    score.layers.push_back(layer);
  }
  const auto rows = std::count_if(score.layers.begin(), score.layers.end(),
                                  [](const LayerScore& layer) { return layer.tokens.has_value(); });
  if (rows > 0) score.tokens = mean_of(score.layers, rows);
  return score;
}

std::vector<std::int64_t> slots_moved(const Placement& from, const Placement& to) {
  const PlacementShape& shape = to.shape;
  MOESIM_CHECK(from.shape.moe_layers == shape.moe_layers && from.shape.experts == shape.experts &&
                   from.shape.ranks == shape.ranks &&
                   from.shape.slots_per_rank == shape.slots_per_rank,
               "moves are counted between placements of one shape");
  const auto room = as_index(shape.slots_per_rank);
  std::vector<std::int64_t> moved(as_index(shape.moe_layers), 0);
  for (std::size_t first = 0; first < to.expert_of_slot.size(); first += room) {
    const auto held = std::span(from.expert_of_slot).subspan(first, room);
    for (const std::int32_t expert : std::span(to.expert_of_slot).subspan(first, room)) {
      const bool stays = std::find(held.begin(), held.end(), expert) != held.end();
      moved[first / as_index(shape.slots())] += stays ? 0 : 1;
    }
  }
  return moved;
}

}  // namespace moesim::placement
