// From drawn experts to work and traffic: tokens per rank and expert, copies per node and rank.
//
// The inner loop of an exact run: one call per token and layer. For every token on a source rank it
// picks one replica of each chosen expert (own domain first, else by a hash of the running token
// number: even shares), adds it to the slot's count, and counts copies de-duplicated per domain
// (scale-out) and per rank (scale-up), in the form operators::TokenTraffic reads.
// A token is sent once to each remote domain that holds one of its chosen replicas, to the rank at
// the source's own position there (its rail; position modulo the domain's size), and from there
// over scale-up to each other rank of that domain with a chosen replica. Ranks of the own domain
// get it over scale-up from the source; the source itself costs nothing (DeepEP's two-step
// dispatch). Formulas, laws and speed: docs/models/dispatch.md. Layer: placement.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/random.h"
#include "placement/placement.h"
#include "routing/expert_router.h"
#include "routing/token_bank.h"

namespace moesim::placement {

/// How tokens travel to the ranks of their experts.
enum class Copies {
  Deduplicated,  ///< Once to each remote domain, and from there once to each rank.
  PerPick,       ///< A copy for each chosen expert, straight to its rank (DeepEP's low latency).
};

/// Counts of one MoE layer for one iteration. Flat arrays, sized once, cleared per layer.
struct LayerTraffic {
  std::vector<std::int32_t> slot_tokens;   ///< [slots]
  std::vector<std::int32_t> to_node;       ///< [ranks * domains] own domain 0
  std::vector<std::int32_t> scale_up_in;   ///< [ranks]
  std::vector<std::int32_t> scale_up_out;  ///< [ranks]
  std::vector<std::int32_t> network_in;    ///< [ranks] PerPick: copies from other domains; else 0.
  std::int64_t token_copies_between_nodes = 0;
  /// [ranks * ranks] PerPick: copies to ranks of other domains, else 0. Counted where the caller
  /// has sized it; empty otherwise.
  std::vector<std::int32_t> between_ranks{};
};

class Dispatcher {
 public:
  /// The router must outlive the dispatcher. Preconditions: `placement` passes verify() and has the
  /// router's layers and experts; domains are numbered from 0 without gaps.
  Dispatcher(const routing::ExpertRouter& router, const Placement& placement);
  /// For tokens that are given: run() is refused (a check) until draw_from() names a router.
  Dispatcher(const routing::RoutingShape& routing, const Placement& placement);
  /// From here on run() draws from this router, which must outlive the dispatcher.
  void draw_from(const routing::ExpertRouter& router);
  /// Draws layer `layer` for `tokens_of_rank[r]` tokens on each source rank and counts the traffic.
  /// The stream is the caller's: one per (run, instance). No allocation.
  /// The same draws and slots whatever the copies.
  void run(std::int64_t layer, std::span<const std::int32_t> tokens_of_rank, RandomStream& stream,
           LayerTraffic& traffic, Copies copies = Copies::Deduplicated);
  /// The counts of tokens whose experts are given, source rank by source rank: experts of one token
  /// adjacent, top_k each. `replica_seed` replaces the number run() takes from the stream.
  void count(std::int64_t layer, std::span<const std::int32_t> tokens_of_rank,
             std::span<const std::uint16_t> experts, std::uint64_t replica_seed,
             LayerTraffic& traffic, Copies copies = Copies::Deduplicated);
  /// The counts of tokens of a bank, source rank by source rank; the same as count() of their
  /// experts. Precondition: the bank has the model's layers and top_k.
  void count(std::int64_t layer, std::span<const std::int32_t> tokens_of_rank,
             const routing::TokenBank& bank, std::span<const std::uint32_t> tokens,
             std::uint64_t replica_seed, LayerTraffic& traffic,
             Copies copies = Copies::Deduplicated);
  /// Other experts in the slots of one layer. O(slots) of that layer. Precondition: together with
  /// the other layers the placement verifies.
  void set_layer(std::int64_t layer, std::span<const std::int32_t> expert_of_slot);
  /// Slot that takes a chosen expert: pick `pick` (0 .. top_k-1) of token number `token` of a call.
  [[nodiscard]] std::int64_t slot_for(std::int64_t layer, std::int64_t source_rank,
                                      std::int64_t expert, std::uint64_t replica_seed,
                                      std::int64_t token, std::int64_t pick) const;
  /// Tokens of each slot of one rank.
  [[nodiscard]] std::span<const std::int32_t> slots_of(const LayerTraffic& traffic,
                                                       std::int64_t rank) const;
  [[nodiscard]] LayerTraffic make_traffic() const;
  [[nodiscard]] std::int64_t domains() const { return domains_; }

 private:
  /// How the counter works: ranks reached as bits of a word, as stamps, or every pick a copy.
  enum class Way { Packed, Stamped, PerPick };
  template <int TopK, auto kWay>
  class Counter;
  [[nodiscard]] Way way(Copies copies) const {
    if (copies == Copies::PerPick) return Way::PerPick;
    return packed_ ? Way::Packed : Way::Stamped;
  }
  template <auto kWay>
  void count_bank(std::int64_t layer, std::span<const std::int32_t> tokens_of_rank,
                  const routing::TokenBank& bank, std::span<const std::uint32_t> tokens,
                  std::uint64_t replica_seed, LayerTraffic& traffic);
  template <class Known, auto kWay>
  void run_as(std::int64_t layer, std::span<const std::int32_t> tokens_of_rank,
              RandomStream& stream, LayerTraffic& traffic);
  void build_layer(std::span<const std::int32_t> expert_of_slot, std::size_t layer);
  /// Clears the counts and starts new stamps; returns the number of tokens.
  std::int64_t begin(std::span<const std::int32_t> tokens_of_rank, LayerTraffic& traffic);

  routing::RoutingShape routing_;
  const routing::ExpertRouter* router_ = nullptr;
  PlacementShape shape_;
  std::int64_t domains_ = 0;
  std::size_t views_ = 1;  ///< Tables of choices per layer: one per domain, or 1 without replicas.
  /// [(layer * views + view) * experts]: replicas to choose from: count << 16 | first.
  std::vector<std::uint32_t> choice_;
  /// [layer * slots], ordered by expert, then domain: slot << 16 | rank.
  std::vector<std::uint32_t> replica_;
  bool packed_ = false;  ///< At most 8 domains of at most 8 ranks: a byte per domain in one word.
  std::vector<std::uint64_t> rank_bit_;    ///< [ranks] packed only: bit 8 * domain + position.
  std::vector<std::uint64_t> hop_bits_;    ///< [position] packed only: all ranks but the relays.
  std::vector<std::uint16_t> position_;    ///< [ranks] inside the domain.
  std::vector<std::uint8_t> needs_hop_;    ///< [position * ranks + rank] 0: the relay itself.
  std::vector<std::uint16_t> relay_;       ///< [position * domains + domain] rank.
  std::vector<std::uint32_t> rank_stamp_;  ///< Token that last reached the rank.
  std::vector<std::uint32_t> domain_stamp_;
  std::vector<std::int32_t> domain_tokens_;  ///< Of the present source.
  std::vector<std::int32_t> domain_hops_;
  std::vector<std::int32_t> rank_picks_;  ///< Of the present source, PerPick.
  std::uint32_t last_stamp_ = 0;
};

}  // namespace moesim::placement
