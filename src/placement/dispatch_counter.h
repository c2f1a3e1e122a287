// The inner loop of dispatch: takes one token's experts and counts slots, copies and hops.
//
// Internal to the folder: dispatch.cpp runs it over drawn or given tokens. Ways of counting and
// their speed: docs/models/dispatch.md.
// Layer: placement.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/random.h"
#include "placement/dispatch.h"

namespace moesim::placement {

inline constexpr std::uint64_t kBytes = 0x0101010101010101ULL;

/// Bit i of a byte, moved to byte i of a word.
inline constexpr std::array<std::uint64_t, 256> kBitsToBytes = [] {
  std::array<std::uint64_t, 256> table{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    for (std::size_t i = 0; i < 8; ++i) table[byte] |= std::uint64_t{byte >> i & 1U} << (8 * i);
  }
  return table;
}();

/// 1 in each byte that is not zero.
inline std::uint64_t nonzero_bytes(std::uint64_t x) {
  return ((((x & (0x7f * kBytes)) + 0x7f * kBytes) | x) >> 7) & kBytes;
}

/// Number of bits set in each byte.
inline std::uint64_t bits_in_bytes(std::uint64_t x) {
  x -= x >> 1 & 0x55 * kBytes;
  x = (x & 0x33 * kBytes) + (x >> 2 & 0x33 * kBytes);
  return (x + (x >> 4)) & 0x0f * kBytes;
}

/// Which of `count` replicas: 16 bits of the token's hash per pick, in equal parts.
inline std::uint32_t replica_index(std::uint64_t hash, std::size_t pick, std::uint32_t count) {
  const auto bits =
      static_cast<std::uint32_t>(std::rotr(hash, static_cast<int>(8 * pick % 64)) & 0xffffU);
  return bits * count >> 16;
}

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
        top_k_(TopK > 0 ? TopK : static_cast<std::size_t>(dispatcher.routing_.top_k)),
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

}  // namespace moesim::placement
