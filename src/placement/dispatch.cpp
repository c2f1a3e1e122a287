#include "placement/dispatch.h"

#include <algorithm>
#include <cstddef>

#include "core/check.h"
#include "placement/dispatch_counter.h"
#include "routing/expert_router_draw.h"

namespace moesim::placement {

Dispatcher::Dispatcher(const routing::ExpertRouter& router, const Placement& placement)
    : Dispatcher(router.shape(), placement) {
  router_ = &router;
}

void Dispatcher::draw_from(const routing::ExpertRouter& router) {
  const routing::RoutingShape& shape = router.shape();
  MOESIM_CHECK(shape.moe_layers == routing_.moe_layers && shape.experts == routing_.experts &&
                   shape.top_k == routing_.top_k,
               "the routers describe different models");
  router_ = &router;
}

Dispatcher::Dispatcher(const routing::RoutingShape& routing, const Placement& placement)
    : routing_(routing), shape_(placement.shape) {
  MOESIM_CHECK(verify(placement).empty(), "a placement is verified before it is used");
  MOESIM_CHECK(shape_.moe_layers == routing.moe_layers && shape_.experts == routing.experts,
               "the placement and the router describe different models");
  MOESIM_CHECK(shape_.slots() <= 0xffff, "more slots per layer than 16 bits can name");
  const auto ranks = static_cast<std::size_t>(shape_.ranks);
  for (const std::int32_t d : shape_.domain_of_rank) {
    domains_ = std::max<std::int64_t>(domains_, d + 1);
  }
  const auto domains = static_cast<std::size_t>(domains_);

  std::vector<std::vector<std::uint16_t>> members(domains);
  for (std::size_t r = 0; r < ranks; ++r) {
    auto& domain = members[static_cast<std::size_t>(shape_.domain_of_rank[r])];
    position_.push_back(static_cast<std::uint16_t>(domain.size()));
    domain.push_back(static_cast<std::uint16_t>(r));
  }
  std::size_t positions = 0;
  for (const auto& domain : members) {
    MOESIM_CHECK(!domain.empty(), "domains are numbered without gaps");
    positions = std::max(positions, domain.size());
  }
  needs_hop_.assign(positions * ranks, 1);
  for (std::size_t p = 0; p < positions; ++p) {
    for (const auto& domain : members) {
      const std::uint16_t relay = domain[p % domain.size()];
      relay_.push_back(relay);
      needs_hop_[p * ranks + relay] = 0;
    }
  }
  packed_ = domains <= 8 && positions <= 8;
  if (packed_) {
    for (std::size_t r = 0; r < ranks; ++r) {
      rank_bit_.push_back(std::uint64_t{1} << (8 * shape_.domain_of_rank[r] + position_[r]));
    }
    for (std::size_t p = 0; p < positions; ++p) {
      hop_bits_.push_back(0);
      for (std::size_t r = 0; r < ranks; ++r) {
        if (needs_hop_[p * ranks + r] != 0) hop_bits_.back() |= rank_bit_[r];
      }
    }
  }
  rank_stamp_.assign(ranks, 0);
  domain_stamp_.assign(domains, 0);
  domain_tokens_.assign(domains, 0);
  domain_hops_.assign(domains, 0);
  rank_picks_.assign(ranks, 0);

  const auto layers = static_cast<std::size_t>(shape_.moe_layers);
  const auto slots = static_cast<std::size_t>(shape_.slots());
  views_ = shape_.slots() == shape_.experts ? 1 : domains;
  choice_.resize(layers * views_ * static_cast<std::size_t>(shape_.experts));
  replica_.resize(layers * slots);
  for (std::size_t layer = 0; layer < layers; ++layer) {
    build_layer(std::span(placement.expert_of_slot).subspan(layer * slots, slots), layer);
  }
}

void Dispatcher::build_layer(std::span<const std::int32_t> expert_of_slot, std::size_t layer) {
  const auto experts = static_cast<std::size_t>(shape_.experts);
  const auto rank_of = [&](std::size_t slot) {
    return slot / static_cast<std::size_t>(shape_.slots_per_rank);
  };
  const auto domain_of = [&](std::size_t slot) {
    return static_cast<std::size_t>(shape_.domain_of_rank[rank_of(slot)]);
  };
  std::vector<std::vector<std::size_t>> slots_of(experts);
  for (std::size_t s = 0; s < expert_of_slot.size(); ++s) {
    slots_of[static_cast<std::size_t>(expert_of_slot[s])].push_back(s);
  }
  std::uint32_t* const choice = &choice_[layer * views_ * experts];
  std::size_t next = 0;
  for (std::size_t e = 0; e < experts; ++e) {
    auto& slots = slots_of[e];
    std::stable_sort(slots.begin(), slots.end(),
                     [&](std::size_t a, std::size_t b) { return domain_of(a) < domain_of(b); });
    const std::size_t first = next;
    for (std::size_t view = 0; view < views_; ++view) {
      choice[view * experts + e] = static_cast<std::uint32_t>(slots.size() << 16 | first);
    }
    for (const std::size_t slot : slots) {
      replica_[layer * expert_of_slot.size() + next] =
          static_cast<std::uint32_t>(slot << 16 | rank_of(slot));
      if (views_ > 1) {  // A domain with replicas of its own chooses among them.
        std::uint32_t& own = choice[domain_of(slot) * experts + e];
        const bool begun = next > first && domain_of(slots[next - first - 1]) == domain_of(slot);
        own = begun ? own + (1U << 16) : static_cast<std::uint32_t>(std::size_t{1} << 16 | next);
      }
      ++next;
    }
  }
}

std::int64_t Dispatcher::begin(std::span<const std::int32_t> tokens_of_rank,
                               LayerTraffic& traffic) {
  MOESIM_CHECK(std::ssize(tokens_of_rank) == shape_.ranks &&
                   std::ssize(traffic.slot_tokens) == shape_.slots() &&
                   std::ssize(traffic.to_node) == shape_.ranks * domains_ &&
                   std::ssize(traffic.scale_up_in) == shape_.ranks &&
                   std::ssize(traffic.scale_up_out) == shape_.ranks &&
                   std::ssize(traffic.network_in) == shape_.ranks &&
                   (traffic.between_ranks.empty() ||
                    std::ssize(traffic.between_ranks) == shape_.ranks * shape_.ranks),
               "token counts per rank, and traffic made by make_traffic");
  std::fill(traffic.slot_tokens.begin(), traffic.slot_tokens.end(), 0);
  std::fill(traffic.to_node.begin(), traffic.to_node.end(), 0);
  std::fill(traffic.scale_up_in.begin(), traffic.scale_up_in.end(), 0);
  std::fill(traffic.scale_up_out.begin(), traffic.scale_up_out.end(), 0);
  std::fill(traffic.network_in.begin(), traffic.network_in.end(), 0);
  std::fill(traffic.between_ranks.begin(), traffic.between_ranks.end(), 0);
  traffic.token_copies_between_nodes = 0;
  std::int64_t tokens = 0;
  for (const std::int32_t n : tokens_of_rank) tokens += n;
  MOESIM_CHECK(tokens < std::int64_t{1} << 31, "more tokens in a call than the counts can hold");
  if (last_stamp_ + static_cast<std::uint64_t>(tokens) > 0xffffffffU) {
    std::fill(rank_stamp_.begin(), rank_stamp_.end(), 0U);
    std::fill(domain_stamp_.begin(), domain_stamp_.end(), 0U);
    last_stamp_ = 0;
  }
  return tokens;
}

template <class Known, auto kWay>
void Dispatcher::run_as(std::int64_t layer, std::span<const std::int32_t> tokens_of_rank,
                        RandomStream& stream, LayerTraffic& traffic) {
  const std::int64_t tokens = begin(tokens_of_rank, traffic);
  Counter<Known::kTopK, kWay> counter(*this, layer, tokens_of_rank, stream.next(), traffic);
  router_->draw_known<Known>(layer, tokens, stream, counter);
  counter.finish();
}

void Dispatcher::run(std::int64_t layer, std::span<const std::int32_t> tokens_of_rank,
                     RandomStream& stream, LayerTraffic& traffic, Copies copies) {
  MOESIM_CHECK(router_ != nullptr, "a dispatcher of given tokens has nothing to draw from");
  routing::with_known_shape(routing_, [&](auto known) {
    using Known = decltype(known);
    switch (way(copies)) {
      case Way::Packed:
        return run_as<Known, Way::Packed>(layer, tokens_of_rank, stream, traffic);
      case Way::Stamped:
        return run_as<Known, Way::Stamped>(layer, tokens_of_rank, stream, traffic);
      case Way::PerPick:
        return run_as<Known, Way::PerPick>(layer, tokens_of_rank, stream, traffic);
    }
  });
}

void Dispatcher::count(std::int64_t layer, std::span<const std::int32_t> tokens_of_rank,
                       std::span<const std::uint16_t> experts, std::uint64_t replica_seed,
                       LayerTraffic& traffic, Copies copies) {
  const std::int64_t tokens = begin(tokens_of_rank, traffic);
  const std::int64_t top_k = routing_.top_k;
  MOESIM_CHECK(std::ssize(experts) == tokens * top_k, "top_k experts for each token");
  const auto feed = [&](auto counter) {
    for (std::int64_t t = 0; t < tokens; ++t) counter(experts.data() + t * top_k);
    counter.finish();
  };
  switch (way(copies)) {
    case Way::Packed:
      return feed(Counter<0, Way::Packed>(*this, layer, tokens_of_rank, replica_seed, traffic));
    case Way::Stamped:
      return feed(Counter<0, Way::Stamped>(*this, layer, tokens_of_rank, replica_seed, traffic));
    case Way::PerPick:
      return feed(Counter<0, Way::PerPick>(*this, layer, tokens_of_rank, replica_seed, traffic));
  }
}

template <auto kWay>
void Dispatcher::count_bank(std::int64_t layer, std::span<const std::int32_t> tokens_of_rank,
                            const routing::TokenBank& bank, std::span<const std::uint32_t> tokens,
                            std::uint64_t replica_seed, LayerTraffic& traffic) {
  const auto feed = [&](auto counter) {
    bank.visit(layer, tokens, counter);
    counter.finish();
  };
  if (routing_.top_k == 8) {
    feed(Counter<8, kWay>(*this, layer, tokens_of_rank, replica_seed, traffic));
  } else {
    feed(Counter<0, kWay>(*this, layer, tokens_of_rank, replica_seed, traffic));
  }
}

void Dispatcher::count(std::int64_t layer, std::span<const std::int32_t> tokens_of_rank,
                       const routing::TokenBank& bank, std::span<const std::uint32_t> tokens,
                       std::uint64_t replica_seed, LayerTraffic& traffic, Copies copies) {
  MOESIM_CHECK(begin(tokens_of_rank, traffic) == std::ssize(tokens), "a place in the bank a token");
  MOESIM_CHECK(bank.layers() == shape_.moe_layers && bank.top_k() == routing_.top_k &&
                   bank.expert_count() == shape_.experts,
               "the bank and the placement describe different models");
  switch (way(copies)) {
    case Way::Packed:
      return count_bank<Way::Packed>(layer, tokens_of_rank, bank, tokens, replica_seed, traffic);
    case Way::Stamped:
      return count_bank<Way::Stamped>(layer, tokens_of_rank, bank, tokens, replica_seed, traffic);
    case Way::PerPick:
      return count_bank<Way::PerPick>(layer, tokens_of_rank, bank, tokens, replica_seed, traffic);
  }
}

void Dispatcher::set_layer(std::int64_t layer, std::span<const std::int32_t> expert_of_slot) {
  MOESIM_CHECK(
      layer >= 0 && layer < shape_.moe_layers && std::ssize(expert_of_slot) == shape_.slots(),
      "the slots of one layer");
  build_layer(expert_of_slot, static_cast<std::size_t>(layer));
}

std::int64_t Dispatcher::slot_for(std::int64_t layer, std::int64_t source_rank, std::int64_t expert,
                                  std::uint64_t replica_seed, std::int64_t token,
                                  std::int64_t pick) const {
  const std::size_t view =
      views_ == 1
          ? 0
          : static_cast<std::size_t>(shape_.domain_of_rank[static_cast<std::size_t>(source_rank)]);
  const std::size_t row = static_cast<std::size_t>(layer) * views_ + view;
  const std::uint32_t choice =
      choice_[row * static_cast<std::size_t>(shape_.experts) + static_cast<std::size_t>(expert)];
  const std::uint64_t hash = mix64(replica_seed + static_cast<std::uint64_t>(token));
  const std::uint32_t at =
      (choice & 0xffffU) + replica_index(hash, static_cast<std::size_t>(pick), choice >> 16);
  return replica_[static_cast<std::size_t>(layer * shape_.slots()) + at] >> 16;
}

std::span<const std::int32_t> Dispatcher::slots_of(const LayerTraffic& traffic,
                                                   std::int64_t rank) const {
  const auto slots = static_cast<std::size_t>(shape_.slots_per_rank);
  return {&traffic.slot_tokens[static_cast<std::size_t>(rank) * slots], slots};
}

LayerTraffic Dispatcher::make_traffic() const {
  return {
      .slot_tokens = std::vector<std::int32_t>(static_cast<std::size_t>(shape_.slots()), 0),
      .to_node = std::vector<std::int32_t>(static_cast<std::size_t>(shape_.ranks * domains_), 0),
      .scale_up_in = std::vector<std::int32_t>(static_cast<std::size_t>(shape_.ranks), 0),
      .scale_up_out = std::vector<std::int32_t>(static_cast<std::size_t>(shape_.ranks), 0),
      .network_in = std::vector<std::int32_t>(static_cast<std::size_t>(shape_.ranks), 0),
      .token_copies_between_nodes = 0};
}

}  // namespace moesim::placement
