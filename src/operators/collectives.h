// Collectives of a group of GPUs, alone on the topology: latency of the steps plus the busiest
// link, or measured curves where the group lies in one scale-up domain.
//
// Model:   steps of the algorithm over the paths of the topology; its bytes leave at the rate of
// the
//          link that carries most of them. A step over NICs or PCIe takes the longest path's
//          latency; over scale-up links the first does and each later one 0.12 of it. With curves,
//          what happens inside a domain takes the curve's time at the links' rate. All-reduces
//          between domains take the faster of ring and double tree, as NCCL's tuning does.
// Omits:   start of the kernel, slow protocols of small messages (without curves), in-network
//          reduction between nodes, pipelining between the phases of hierarchical forms. Formulas
//          and known error: docs/models/collectives.md. Flows of several kinds that share links are
//          the business of `net`.
// Layer:   operators.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "catalog/curve.h"
#include "core/ids.h"
#include "core/units.h"
#include "operators/all_to_all.h"  // The contract: one header for all communication.
#include "operators/engine_all_reduce_curve.h"
#include "operators/nccl_curve.h"
#include "topology/topology.h"

namespace moesim::operators {

/// Measured curves of collectives for the GPUs of one cluster. Without one, and for GPUs joined by
/// pair links (none were measured), the plain form holds.
struct CollectiveCurves {
  std::optional<NcclCurve> library{};
  std::optional<EngineAllReduceCurve> engine{};
  /// Where they come from; set where the curve is.
  std::optional<catalog::CurveMatch> library_match{};
  std::optional<catalog::CurveMatch> engine_match{};
};
/// The scale-up links of a cluster at their peak rate.
[[nodiscard]] ScaleUpLink scale_up_link(const topology::Cluster& cluster);
/// The nearest curves, at the rate of the cluster's own links, of which the slowest between two of
/// `group` gives as much as is left where links are degraded. `engine`: "trtllm", "sglang", ...
[[nodiscard]] CollectiveCurves measured_collectives(const catalog::CurveSet& curves,
                                                    const topology::Topology& topology,
                                                    std::span<const GpuId> group,
                                                    std::string_view engine);

/// Latency and time per byte of one algorithm.
struct AffineCost {
  Seconds latency{};
  double seconds_per_byte = 0;
  [[nodiscard]] Seconds time(Bytes bytes) const {
    return latency + bytes / kByte * seconds_per_byte * kSecond;
  }
};

/// A collective of one group: t = latency + bytes * seconds_per_byte, or the other algorithm where
/// that is faster, plus the measured parts. Monotone in the message size.
struct CollectiveCost {
  Seconds latency{};
  double seconds_per_byte = 0;
  LinkId busiest{};  ///< Of the affine part.
  /// "none", "ring", "direct", "hierarchical ring", "measured", "measured, ring between domains",
  /// "chain", "point to point"
  std::string algorithm{};
  std::optional<AffineCost> tree{};  ///< Instead of the affine part where it is faster.
  /// Parts inside a scale-up domain, each given the whole message.
  std::vector<std::variant<RampedTime, EngineAllReduceTime>> measured{};
  [[nodiscard]] Seconds time(Bytes bytes) const;
};

/// Ring all-reduce of `bytes` held by each rank: 2 (n-1) steps, 2 (n-1)/n of the bytes over the
/// busiest link. Groups over several scale-up domains reduce inside each first and then exchange
/// shares between domains, all NICs at work; with uneven domains, one flat ring in group order.
/// Groups joined by pair links (xGMI, bridges) use all of them at once ("direct", two steps).
/// One rank: zero. Precondition: the GPUs differ.
[[nodiscard]] CollectiveCost all_reduce(const topology::Topology& topology,
                                        std::span<const GpuId> group,
                                        const CollectiveCurves& curves = {});
/// All-reduce in two steps, each rank exchanging with every other at once, as the serving engines'
/// own kernels do inside a scale-up domain: the bytes of the ring, latency of two steps; or the
/// engine's curve. Precondition: all of the group share scale-up links.
[[nodiscard]] CollectiveCost direct_all_reduce(const topology::Topology& topology,
                                               std::span<const GpuId> group,
                                               const CollectiveCurves& curves = {});
/// Each rank contributes bytes/n and ends with `bytes`.
[[nodiscard]] CollectiveCost all_gather(const topology::Topology& topology,
                                        std::span<const GpuId> group,
                                        const CollectiveCurves& curves = {});
/// Each rank starts with `bytes` and ends with its reduced bytes/n.
[[nodiscard]] CollectiveCost reduce_scatter(const topology::Topology& topology,
                                            std::span<const GpuId> group,
                                            const CollectiveCurves& curves = {});
/// `bytes` from the first of the group to all others, handed on along the group in small pieces:
/// each link carries them once, the last rank starts n - 1 steps later. New weights go this way.
[[nodiscard]] CollectiveCost broadcast(const topology::Topology& topology,
                                       std::span<const GpuId> group);
/// One message over the path; zero from a GPU to itself.
[[nodiscard]] CollectiveCost point_to_point(const topology::Topology& topology, GpuId from,
                                            GpuId to);
/// A message cut into equal parts, part i over the path from `from[i]` to `to[i]`, all at once: a
/// KV cache spread over the ranks of a pool. Precondition: as many of both, at least one.
[[nodiscard]] CollectiveCost paired_transfer(const topology::Topology& topology,
                                             std::span<const GpuId> from,
                                             std::span<const GpuId> to);

}  // namespace moesim::operators
