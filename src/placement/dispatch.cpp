#include "placement/dispatch.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>

#include "core/check.h"
#include "routing/expert_router_draw.h"

namespace moesim::placement {
namespace {

constexpr std::uint64_t kBytes = 0x0101010101010101ULL;

/// Bit i of a byte, moved to byte i of a word.
constexpr std::array<std::uint64_t, 256> kBitsToBytes = [] {
  std::array<std::uint64_t, 256> table{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    for (std::size_t i = 0; i < 8; ++i) table[byte] |= std::uint64_t{byte >> i & 1U} << (8 * i);
  }
  return table;
}();

/// 1 in each byte that is not zero.
std::uint64_t nonzero_bytes(std::uint64_t x) {
  return ((((x & (0x7f * kBytes)) + 0x7f * kBytes) | x) >> 7) & kBytes;
}

/// Number of bits set in each byte.
std::uint64_t bits_in_bytes(std::uint64_t x) {
  x -= x >> 1 & 0x55 * kBytes;
  x = (x & 0x33 * kBytes) + (x >> 2 & 0x33 * kBytes);
  return (x + (x >> 4)) & 0x0f * kBytes;
}

/// Which of `count` replicas: 16 bits of the token's hash per pick, in equal parts.
std::uint32_t replica_index(std::uint64_t hash, std::size_t pick, std::uint32_t count) {
  const auto bits =
      static_cast<std::uint32_t>(std::rotr(hash, static_cast<int>(8 * pick % 64)) & 0xffffU);
  return bits * count >> 16;
}

}  // namespace

/// Takes tokens in the order of their source ranks. Packed: the ranks a token reaches are bits of
/// one word, a byte per domain, and counts grow in the bytes of words. Else: stamps per rank and
/// domain. PerPick: every pick is a copy to its rank.
template <int TopK, auto kWay>
class Dispatcher::Counter {
 public:
  Counter(Dispatcher& dispatcher, std::int64_t layer, std::span<const std::int32_t> tokens_of_rank,
          std::uint64_t replica_seed, LayerTraffic& traffic)
      : d_(dispatcher),
        traffic_(traffic),
        tokens_of_rank_(tokens_of_rank),
        top_k_(TopK > 0 ? TopK : static_cast<std::size_t>(dispatcher.router_->shape().top_k)),
        experts_(static_cast<std::size_t>(dispatcher.shape_.experts)),
        domains_(static_cast<std::size_t>(dispatcher.domains_)),
        choice_of_layer_(
            &dispatcher.choice_[static_cast<std::size_t>(layer) * dispatcher.views_ * experts_]),
        replica_(&dispatcher.replica_[static_cast<std::size_t>(layer * dispatcher.shape_.slots())]),
        rank_bit_(dispatcher.rank_bit_.data()),
        slot_tokens_(traffic.slot_tokens.data()),
        seed_(replica_seed),
        stamp_(dispatcher.last_stamp_) {
    next_source();
  }

  void operator()(const std::uint16_t* experts) {
    if (left_ == 0) {
      end_source();
      ++source_;
      next_source();
    }
    --left_;
    const std::uint64_t hash = mix64(seed_ + token_++);
    ++stamp_;
    std::uint64_t reached = 0;
    for (std::size_t i = 0; i < (TopK > 0 ? TopK : top_k_); ++i) {
      const std::uint32_t choice = choice_[experts[i]];
      const std::uint32_t at = (choice & 0xffffU) + replica_index(hash, i, choice >> 16);
      const std::uint32_t replica = replica_[at];
      ++slot_tokens_[replica >> 16];
      if constexpr (kWay == Way::Packed) {
        reached |= rank_bit_[replica & 0xffffU];
      } else if constexpr (kWay == Way::PerPick) {
        ++d_.rank_picks_[replica & 0xffffU];
      } else {
        count_rank(replica & 0xffffU);
      }
    }
    if constexpr (kWay == Way::Packed) {
      domain_token_bytes_ += nonzero_bytes(reached);
      const std::uint64_t hops = reached & hop_bits_;
      domain_hop_bytes_ += bits_in_bytes(hops);
      for (std::size_t x = 0; x < domains_; ++x) {
        rank_bytes_[x] += kBitsToBytes[hops >> (8 * x) & 0xffU];
      }
      if (++in_domain_bytes_ == 31) unload_domains();  // 31 * 8 ranks fit into a byte.
      if (++in_rank_bytes_ == 255) unload_ranks();
    }
  }

  void finish() {
    end_source();
    if constexpr (kWay == Way::Packed) unload_ranks();
    d_.last_stamp_ = stamp_;
  }

 private:
  void count_rank(std::uint32_t rank) {
    const auto domain = static_cast<std::size_t>(d_.shape_.domain_of_rank[rank]);
    const std::int32_t hop = d_.rank_stamp_[rank] != stamp_ ? needs_hop_[rank] : 0;
    d_.rank_stamp_[rank] = stamp_;
    traffic_.scale_up_in[rank] += hop;
    d_.domain_hops_[domain] += hop;
    d_.domain_tokens_[domain] += d_.domain_stamp_[domain] != stamp_ ? 1 : 0;
    d_.domain_stamp_[domain] = stamp_;
  }

  void unload_domains() {
    for (std::size_t x = 0; x < domains_; ++x) {
      d_.domain_tokens_[x] += static_cast<std::int32_t>(domain_token_bytes_ >> (8 * x) & 0xffU);
      d_.domain_hops_[x] += static_cast<std::int32_t>(domain_hop_bytes_ >> (8 * x) & 0xffU);
    }
    domain_token_bytes_ = 0;
    domain_hop_bytes_ = 0;
    in_domain_bytes_ = 0;
  }

  void unload_ranks() {
    for (std::size_t r = 0; r < tokens_of_rank_.size(); ++r) {
      const auto domain = static_cast<std::size_t>(d_.shape_.domain_of_rank[r]);
      traffic_.scale_up_in[r] +=
          static_cast<std::int32_t>(rank_bytes_[domain] >> (8 * d_.position_[r]) & 0xffU);
    }
    rank_bytes_.fill(0);
    in_rank_bytes_ = 0;
  }

  void unload_picks() {
    const std::int32_t own = d_.shape_.domain_of_rank[source_];
    std::int32_t* const to_node = &traffic_.to_node[source_ * domains_];
    std::int32_t* const pairs = traffic_.between_ranks.empty()
                                    ? nullptr
                                    : &traffic_.between_ranks[source_ * tokens_of_rank_.size()];
    for (std::size_t r = 0; r < tokens_of_rank_.size(); ++r) {
      const std::int32_t picks = d_.rank_picks_[r];
      d_.rank_picks_[r] = 0;
      const std::int32_t domain = d_.shape_.domain_of_rank[r];
      if (domain != own) {
        to_node[domain] += picks;
        traffic_.network_in[r] += picks;
        if (pairs != nullptr) pairs[r] = picks;
        traffic_.token_copies_between_nodes += picks;
      } else if (r != source_) {
        traffic_.scale_up_in[r] += picks;
        traffic_.scale_up_out[source_] += picks;
      }
    }
  }

  void next_source() {
    while (source_ < tokens_of_rank_.size() && tokens_of_rank_[source_] == 0) ++source_;
    if (source_ == tokens_of_rank_.size()) return;
    left_ = tokens_of_rank_[source_];
    const auto domain = static_cast<std::size_t>(d_.shape_.domain_of_rank[source_]);
    choice_ = choice_of_layer_ + (d_.views_ == 1 ? 0 : domain * experts_);
    needs_hop_ = &d_.needs_hop_[d_.position_[source_] * tokens_of_rank_.size()];
    if constexpr (kWay == Way::Packed) hop_bits_ = d_.hop_bits_[d_.position_[source_]];
  }

  void end_source() {
    if (source_ == tokens_of_rank_.size()) return;
    if constexpr (kWay == Way::PerPick) {
      unload_picks();
      return;
    }
    if constexpr (kWay == Way::Packed) unload_domains();
    const auto own = static_cast<std::size_t>(d_.shape_.domain_of_rank[source_]);
    d_.domain_tokens_[own] = 0;
    std::int32_t* const to_node = &traffic_.to_node[source_ * domains_];
    const std::uint16_t* const relay = &d_.relay_[d_.position_[source_] * domains_];
    for (std::size_t x = 0; x < domains_; ++x) {
      to_node[x] = d_.domain_tokens_[x];
      traffic_.token_copies_between_nodes += d_.domain_tokens_[x];
      traffic_.scale_up_out[relay[x]] += d_.domain_hops_[x];
      d_.domain_tokens_[x] = 0;
      d_.domain_hops_[x] = 0;
    }
  }

  Dispatcher& d_;
  LayerTraffic& traffic_;
  std::span<const std::int32_t> tokens_of_rank_;
  std::size_t top_k_;
  std::size_t experts_;
  std::size_t domains_;
  const std::uint32_t* choice_of_layer_;
  const std::uint32_t* choice_ = nullptr;
  const std::uint32_t* replica_;
  const std::uint8_t* needs_hop_ = nullptr;
  const std::uint64_t* rank_bit_;
  std::int32_t* slot_tokens_;
  std::uint64_t seed_;
  std::uint64_t token_ = 0;
  std::uint64_t hop_bits_ = 0;
  std::uint64_t domain_token_bytes_ = 0;
  std::uint64_t domain_hop_bytes_ = 0;
  std::array<std::uint64_t, 8> rank_bytes_{};  ///< [domain] a byte per rank.
  std::uint32_t in_domain_bytes_ = 0;
  std::uint32_t in_rank_bytes_ = 0;
  std::size_t source_ = 0;
  std::int32_t left_ = 0;
  std::uint32_t stamp_;
};

Dispatcher::Dispatcher(const routing::ExpertRouter& router, const Placement& placement)
    : router_(&router), shape_(placement.shape) {
  MOESIM_CHECK(verify(placement).empty(), "a placement is verified before it is used");
  MOESIM_CHECK(
      shape_.moe_layers == router.shape().moe_layers && shape_.experts == router.shape().experts,
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
  routing::with_known_shape(router_->shape(), [&](auto known) {
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
  const std::int64_t top_k = router_->shape().top_k;
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
