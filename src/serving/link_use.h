// What the links of a cluster carried in a run, and which of them exchanges wait for.
//
// While a run goes on only sums are kept: token copies by source and destination of each exchange,
// tokens of each attention rank. At its end they become bytes on the directed links of the paths
// that the topology gives.
// Formula: utilisation = bytes / (usable rate * duration): the share of the run that the bytes need
//          at full rate; while exchanging: bytes / (usable rate * time that the stage spent in
//          exchanges and collectives), the largest over the stages that share the link.
// Model:   a token copy goes from its rank to the relay or to the expert's rank; combine carries
//          the same bytes backwards. Of copies whose source and destination are known only as sums
//          the pairs are filled in proportion (docs/models/topology.md).
// Omits:   in-network reduction, traffic of the host, weights, bytes of headers.
// Layer:   serving.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/units.h"
#include "placement/dispatch.h"
#include "topology/topology.h"

namespace moesim::serving {

/// Token copies of all layers and iterations of one stage that travelled in the same way; counts as
/// in placement::LayerTraffic.
struct ExchangeTotals {
  placement::Copies copies = placement::Copies::Deduplicated;
  Bytes dispatch_copy{};
  Bytes combine_copy{};
  std::vector<std::int64_t> to_node{};  ///< Empty: there were none.
  std::vector<std::int64_t> scale_up_in{};
  std::vector<std::int64_t> scale_up_out{};
  std::vector<std::int64_t> network_in{};
  /// O(ranks * domains); allocates the first time.
  void add(const placement::LayerTraffic& traffic);
  /// Multiplies all counts, rounded to whole copies.
  void scale(double factor);
};

/// What one stage of one instance sent in a run.
struct StageTraffic {
  std::vector<GpuId> group{};  ///< Its GPUs; ranks of the expert group are in this order.
  std::vector<GpuId> next{};   ///< Those of the next stage; empty: none.
  std::vector<std::int32_t> domain_of_rank{};  ///< As the dispatcher counted.
  std::vector<ExchangeTotals> exchanges{};
  std::int64_t tp = 1;
  std::int64_t all_reduces = 0;  ///< Collectives that each token passes.
  std::int64_t all_gathers = 0;
  std::vector<Bytes> activations{};  ///< [attention rank] of all tokens that passed, one layer's.
  Seconds exchanging{};              ///< In exchanges and collectives.
};

/// What one link carried.
struct LinkUse {
  Bytes carried{};
  double utilisation = 0.0;
  double exchanging = 0.0;  ///< The same while its busiest stage exchanged.
};

/// Links of one kind and direction.
struct KindUse {
  std::string name;        ///< "GPU to switch", "NIC to leaf", ...
  std::int64_t links = 0;  ///< That are up.
  std::int64_t used = 0;   ///< That carried a byte.
  Bytes carried{};         ///< All of them together.
  double mean = 0.0;       ///< Utilisation, over all that are up.
  double most = 0.0;
  double exchanging = 0.0;  ///< Most while exchanging, ...
  std::string busiest{};    ///< ... by the link "node0/nic3 -> rail3/leaf0"; empty: none was used.
};

struct BusyLink {
  LinkId link;
  std::string name;
  std::string kind;
  BytesPerSecond bandwidth;
  LinkUse use;
};

struct FabricUse {
  Seconds duration{};
  std::vector<KindUse> kinds{};     ///< In order of the way out of a GPU.
  std::vector<BusyLink> busiest{};  ///< At most ten, most used while exchanging first.
};

/// [link of the topology]. Preconditions (checked): duration > 0. O(pairs of ranks that exchange).
[[nodiscard]] std::vector<LinkUse> use_of_links(const topology::Topology& topology,
                                                std::span<const StageTraffic> stages,
                                                Seconds duration);

/// Preconditions (checked): one entry per link.
[[nodiscard]] FabricUse fabric_use(const topology::Topology& topology,
                                   std::span<const LinkUse> links, Seconds duration);

/// Counts [n * n] with a zero diagonal, whose rows sum to `out` (exactly, but for rounding) and
/// columns to `in` (iterative proportional fitting, 10^-9 of the total), so that pairs not known
/// are as even as the sums allow.
[[nodiscard]] std::vector<double> fitted_pairs(std::span<const double> out,
                                               std::span<const double> in);

}  // namespace moesim::serving
