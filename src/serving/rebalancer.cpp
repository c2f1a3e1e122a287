#include "serving/rebalancer.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "placement/evaluation.h"
#include "placement/problem.h"
#include "serving/expert_plan.h"

namespace moesim::serving {
namespace {

/// Tokens of a window that are kept for strategies that plan by co-activation.
constexpr std::size_t kWatchedTokens = 4096;

}  // namespace

void RebalancingSummary::add(const RebalancingSummary& other) {
  looks += other.looks;
  rebalancings += other.rebalancings;
  slots_moved += other.slots_moved;
  moved += other.moved;
  lost += other.lost;
  before += other.before;
  after += other.after;
  after_count += other.after_count;
}

Rebalancer::Rebalancer(const Deployment& deployment, const topology::Topology& topology,
                       std::vector<std::vector<GpuId>> groups, const routing::RoutingShape& routing,
                       std::shared_ptr<const placement::Placement> placement, std::uint64_t seed)
    : settings_(*deployment.experts.rebalancing),
      routing_(routing),
      seed_(seed),
      strategy_(strategies::make_strategy(settings_.strategy)),
      migration_(deployment, topology, std::move(groups)),
      placement_(std::move(placement)),
      due_(settings_.every_iterations),
      load_(static_cast<std::size_t>(routing.moe_layers * routing.experts), 0.0) {
  MOESIM_CHECK(strategy_ != nullptr, "an unknown strategy passed the scenario's checks");
}

std::span<const std::int32_t> Rebalancer::slots(std::int64_t layer) const {
  const auto slots = static_cast<std::size_t>(placement_->shape.slots());
  return std::span(placement_->expert_of_slot)
      .subspan(static_cast<std::size_t>(layer) * slots, slots);
}

std::vector<LayerMoves> Rebalancer::begin_iteration() {
  std::vector<LayerMoves> now;
  if (pending_.empty()) return now;
  const std::size_t most = settings_.layers_per_iteration == 0
                               ? pending_.size()
                               : static_cast<std::size_t>(settings_.layers_per_iteration);
  auto changed = std::make_shared<placement::Placement>(*placement_);
  const std::int64_t slots = changed->shape.slots();
  while (!pending_.empty() && now.size() < most) {
    now.push_back(std::move(pending_.front()));
    pending_.pop_front();
    std::copy_n(target_->expert_of_slot.begin() + now.back().layer * slots, slots,
                changed->expert_of_slot.begin() + now.back().layer * slots);
  }
  placement_ = std::move(changed);
  if (pending_.empty()) target_.reset();
  return now;
}

LimitedTime Rebalancer::move(std::size_t stage, std::span<const LayerMoves* const> layers) {
  std::vector<strategies::Move> moves;
  for (const LayerMoves* layer : layers) {
    moves.insert(moves.end(), layer->moves.begin(), layer->moves.end());
    summary_.slots_moved += std::ssize(layer->moves);
    summary_.moved +=
        static_cast<double>(layer->moves.size()) * migration_.expert_bytes(layer->layer);
  }
  const LimitedTime time = migration_.time(stage, moves);
  summary_.lost += time.sum();
  return time;
}

void Rebalancer::watch(std::int64_t layer, std::span<const std::int32_t> slot_tokens) {
  const std::span<const std::int32_t> expert = slots(layer);
  double* const load = &load_[static_cast<std::size_t>(layer * routing_.experts)];
  for (std::size_t s = 0; s < slot_tokens.size(); ++s) load[expert[s]] += slot_tokens[s];
}

void Rebalancer::watch(const routing::TokenBank& bank, std::span<const std::uint32_t> tokens) {
  if (!plans_by_tokens(settings_.strategy)) return;
  bank_ = &bank;
  for (const std::uint32_t token : tokens) {
    if (tokens_.size() < kWatchedTokens) {
      tokens_.push_back(token);
    } else {
      tokens_[next_token_++ % kWatchedTokens] = token;
    }
  }
}

routing::TokenTrace Rebalancer::watched_tokens() const {
  routing::TokenTrace trace{.experts = routing_.experts,
                            .top_k = routing_.top_k,
                            .layer = {},
                            .request = {},
                            .expert = {}};
  if (bank_ == nullptr || tokens_.empty()) return trace;
  trace.layer = bank_->trace().layer;
  for (std::size_t t = 0; t < tokens_.size(); ++t) trace.request.push_back(t);
  for (std::int64_t layer = 0; layer < routing_.moe_layers; ++layer) {
    for (const std::uint32_t token : tokens_) {
      const std::uint16_t* e = bank_->experts(layer, token);
      trace.expert.insert(trace.expert.end(), e, e + routing_.top_k);
    }
  }
  return trace;
}

std::optional<double> Rebalancer::balancedness() const {
  double sum = 0.0;
  for (std::int64_t layer = 0; layer < routing_.moe_layers; ++layer) {
    const auto row = std::span(load_).subspan(static_cast<std::size_t>(layer * routing_.experts),
                                              static_cast<std::size_t>(routing_.experts));
    if (std::all_of(row.begin(), row.end(), [](double x) { return x <= 0.0; })) return {};
    sum += 1.0 / placement::balance(slots(layer), row, placement_->shape.slots_per_rank);
  }
  return sum / static_cast<double>(routing_.moe_layers);
}

void Rebalancer::end_iteration() {
  if (++iteration_ < due_) return;
  due_ = iteration_ + settings_.every_iterations;
  const std::optional<double> now = balancedness();
  if (pending_.empty() && now) {
    ++summary_.looks;
    if (moved_) {
      summary_.after += *now;
      ++summary_.after_count;
      moved_ = false;
    }
    if (settings_.balancedness_below >= 1.0 || *now < settings_.balancedness_below) {
      plan();
      if (!pending_.empty()) summary_.before += *now;
    }
  }
  std::fill(load_.begin(), load_.end(), 0.0);
  tokens_.clear();
  next_token_ = 0;
}

void Rebalancer::plan() {
  const placement::Problem problem{
      .shape = placement_->shape,
      .routing = routing_,
      .workloads = {{.name = "window", .weight = 1.0, .load = load_, .tokens = watched_tokens()}},
      .current = *placement_};
  target_ = std::make_shared<const placement::Placement>(strategy_->place(
      problem, {.seed = seed_, .budget = settings_.budget, .most_moved = settings_.most_moved}));
  for (const strategies::Move& move : strategies::moves_between(*placement_, *target_)) {
    if (pending_.empty() || pending_.back().layer != move.layer) {
      pending_.push_back({.layer = move.layer, .moves = {}});
    }
    pending_.back().moves.push_back(move);
  }
  if (pending_.empty()) {
    target_.reset();
    return;
  }
  ++summary_.rebalancings;
  moved_ = true;
}

RebalancingSummary Rebalancer::summary() const {
  RebalancingSummary sum = summary_;
  // What followed the last rebalancing has not been looked at.
  if (const auto now = balancedness(); moved_ && pending_.empty() && now) {
    sum.after += *now;
    ++sum.after_count;
  }
  return sum;
}

}  // namespace moesim::serving
