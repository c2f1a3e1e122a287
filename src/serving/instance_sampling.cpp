// Iterations whose experts are sampled from earlier exact draws.
#include <algorithm>
#include <bit>
#include <cmath>

#include "serving/instance_cost.h"

namespace moesim::serving {
namespace {

/// Neighbours' share of narrow links at which records made under another one are too old.
constexpr double kOtherNeighbours = 0.02;

std::size_t way(placement::Copies copies) { return copies == placement::Copies::PerPick ? 1 : 0; }

struct Tokens {
  double all = 0;
  std::int64_t largest = 0;  ///< Of the fullest rank.
};

Tokens tokens_in(std::span<const RankBatch> ranks) {
  Tokens tokens;
  for (const RankBatch& batch : ranks) {
    tokens.all += batch.tokens();
    tokens.largest = std::max<std::int64_t>(tokens.largest, batch.tokens());
  }
  return tokens;
}

}  // namespace

void InstanceCost::sample_experts(std::uint64_t seed, std::int64_t replica) {
  if (!experts_) return;
  sampled_ = std::make_shared<SampledExperts>(seed, static_cast<std::uint64_t>(replica));
  if (deployment_->scheduler.speculation.method == DraftMethod::Mtp) {
    sampled_drafts_ = std::make_shared<SampledExperts>(~seed, static_cast<std::uint64_t>(replica));
  }
  owns_samples_ = true;
  probe_ = experts_->probe_exchanges();
}

bool InstanceCost::share_samples_with(InstanceCost& other) {
  if (!sampled_ || !other.owns_samples_ || rebalancer_ || probe_ != other.probe_) return false;
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    if (experts_->feels_neighbours(s) || other.experts_->feels_neighbours(s)) return false;
  }
  sampled_ = other.sampled_;
  sampled_drafts_ = other.sampled_drafts_;
  owns_samples_ = false;
  experts_->count_together_with(*other.experts_);
  return true;
}

std::optional<ExpertStatistics> InstanceCost::expert_statistics() const {
  if (!experts_) return std::nullopt;
  ExpertStatistics all = experts_->statistics();
  if (owns_samples_) sampled_->add_statistics(all);
  if (owns_samples_ && sampled_drafts_) sampled_drafts_->add_statistics(all);
  return all;
}

/// Iterations that are drawn or watched need the counts of each rank; while experts move no two
/// iterations are alike.
bool InstanceCost::samples(bool drawn) const {
  if (!sampled_ || drawn) return false;
  return !rebalancer_ || (!rebalancer_->watches() && !rebalancer_->moves_next());
}

double InstanceCost::busy_neighbours(const Stage& stage) const {
  if (stage.neighbours == 0 || stage.passed <= Seconds{}) return 0.0;
  return static_cast<double>(stage.neighbours) * (stage.on_network / stage.passed);
}

std::int64_t InstanceCost::most_on_a_gpu(std::size_t ranks, std::int64_t largest) const {
  const std::int64_t sharing = ranks == 1 ? deployment_->layout.ep : deployment_->layout.tp;
  return (largest + sharing - 1) / sharing;
}

void InstanceCost::forget_samples() {
  if (sampled_) sampled_->forget();
  if (sampled_drafts_) sampled_drafts_->forget();
}

SampledExperts::KindOf InstanceCost::kind_of(std::span<const RankBatch> ranks, bool prefill) {
  std::int32_t units = 0;
  if (prefill && experts_->bank() != nullptr) {
    std::uint32_t independent = 0;
    for (const RankBatch& batch : ranks) {
      independent += static_cast<std::uint32_t>(batch.decode_tokens() + batch.prefill_chunks);
    }
    units = static_cast<std::int32_t>(std::bit_width(independent));
  }
  return [this, prefill, units, count = ranks.size()](std::int64_t largest) {
    return BatchKind{.prefill = prefill,
                     .copies = experts_->copies(0, prefill, most_on_a_gpu(count, largest)),
                     .units = units};
  };
}

void InstanceCost::sample(std::span<const RankBatch> ranks, bool prefill) {
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    if (!experts_->feels_neighbours(s)) continue;
    const double now = busy_neighbours(stages_[s]);
    double& then = stages_[s].sampled_beside;
    if (std::abs(now - then) > kOtherNeighbours * (1.0 + then)) {
      forget_samples();
      then = now;
    }
  }
  const SampledExperts::KindOf kind = kind_of(ranks, prefill);
  const Tokens tokens = tokens_in(ranks);
  served_[way(kind(tokens.largest).copies)] += tokens.all;
  sampled_layers_ = sampled_->sample(
      ranks, kind, [&](std::span<const RankBatch> moved) { return draw_record(moved, prefill); });
}

ExpertLayerTime InstanceCost::sample_draft(std::span<const RankBatch> ranks,
                                           std::size_t stage_index, bool prefill) {
  const SampledExperts::KindOf kind = kind_of(ranks, prefill);
  const Tokens tokens = tokens_in(ranks);
  served_[way(kind(tokens.largest).copies)] += share_of_draft() * tokens.all;
  const auto draw = [&](std::span<const RankBatch> moved) {
    ExpertRecord record;
    spread_tokens(moved, tokens_of_rank_);
    experts_->begin_iteration(moved);
    ExpertStatistics of_run = experts_->exchange_statistics(experts_->no_statistics());
    // Of the last layer: the module's own routing is not known.
    record.layers.push_back(experts_->price(stages_[stage_index].moe_layers.back(), stage_index,
                                            tokens_of_rank_, prefill));
    record.statistics = experts_->exchange_statistics(std::move(of_run));
    return record;
  };
  return sampled_drafts_->sample(ranks, kind, draw).front();
}

double InstanceCost::share_of_draft() const {
  std::size_t layers = 0;
  for (const Stage& stage : stages_) layers += stage.moe_layers.size();
  return 1.0 / static_cast<double>(layers);
}

ExpertRecord InstanceCost::draw_record(std::span<const RankBatch> ranks, bool prefill) {
  ExpertRecord record;
  spread_tokens(ranks, tokens_of_rank_);
  experts_->begin_iteration(ranks);
  ExpertStatistics of_run = experts_->exchange_statistics(experts_->no_statistics());
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    expect_neighbours(s);
    for (const std::int64_t layer : stages_[s].moe_layers) {
      record.layers.push_back(experts_->price(layer, s, tokens_of_rank_, prefill));
    }
  }
  record.statistics = experts_->exchange_statistics(std::move(of_run));
  return record;
}

void InstanceCost::count_exact(std::span<const RankBatch> ranks, bool prefill) {
  const Tokens tokens = tokens_in(ranks);
  const placement::Copies copies =
      experts_->copies(0, prefill, most_on_a_gpu(ranks.size(), tokens.largest));
  served_[way(copies)] += tokens.all;
  sampled_->count_exact(copies, static_cast<std::int64_t>(tokens.all));
}

/// Exchanges were counted in exact draws alone; those of the run had so many times the tokens.
void InstanceCost::scale_traffic(StageTraffic& traffic) const {
  if (!sampled_) return;
  for (ExchangeTotals& totals : traffic.exchanges) {
    double drawn = sampled_->drawn(totals.copies);
    if (sampled_drafts_) drawn += share_of_draft() * sampled_drafts_->drawn(totals.copies);
    const double served = served_[way(totals.copies)];
    totals.scale(drawn > 0.0 ? served / drawn : 0.0);
  }
}

}  // namespace moesim::serving
