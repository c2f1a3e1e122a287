#include "topology/routes.h"

#include "core/index.h"

namespace moesim::topology {
namespace {

/// Another GPU of the island that passes on what the pair's own link, which is down, cannot carry.
std::optional<GpuId> detour(const Wiring& w, GpuId from, GpuId to) {
  const std::int64_t node = w.cluster.node_of(from);
  const std::int64_t first = w.local(from) / w.island * w.island;
  for (std::int64_t i = 1; i < w.island; ++i) {
    const std::int64_t place = first + (w.local(to) + i) % w.island;
    const GpuId by{node * w.cluster.gpus_per_node + place};
    if (by == from || by == to || place >= w.cluster.gpus_per_node) continue;
    if (w.up(w.mesh_link(from, by)) && w.up(w.mesh_link(by, to))) return by;
  }
  return std::nullopt;
}

void append_scale_up(const Wiring& w, GpuId from, GpuId to, Route& route) {
  if (w.switched) {
    route.append(w.scale_up_out[from.index()]);
    route.append(w.scale_up_in[to.index()]);
  } else if (const LinkId direct = w.mesh_link(from, to); w.up(direct)) {
    route.append(direct);
  } else {
    const std::optional<GpuId> by = detour(w, from, to);
    MOESIM_CHECK(by.has_value(), "a mesh goes around a pair that is down");
    route.append(w.mesh_link(from, *by));
    route.append(w.mesh_link(*by, to));
  }
}

std::int64_t scale_up_hops(const Wiring& w, GpuId from, GpuId to) {
  if (w.hosted || from == to) return 0;  // From a host every NIC is as far.
  return w.switched || !w.up(w.mesh_link(from, to)) ? 2 : 1;
}

/// The spine from one NIC to another: chosen by the destination's port, the next one that both
/// leaves reach if that is down; -1 if there is none.
std::int64_t spine_between(const Wiring& w, std::int64_t nic_from, std::int64_t nic_to) {
  const std::int64_t from = w.leaf_of_nic[as_index(nic_from)] * w.spines;
  const std::int64_t to = w.leaf_of_nic[as_index(nic_to)] * w.spines;
  for (std::int64_t i = 0; i < w.spines; ++i) {
    const std::int64_t spine = (w.port_of_nic[as_index(nic_to)] + i) % w.spines;
    if (w.up(w.uplink[as_index(from + spine)]) && w.up(w.downlink[as_index(to + spine)]))
      return spine;
  }
  return -1;
}

bool same_leaf(const Wiring& w, std::int64_t a, std::int64_t b) {
  return w.leaf_of_nic[as_index(a)] == w.leaf_of_nic[as_index(b)];
}

bool reaches_itself(const Wiring& w, GpuId gpu, std::int64_t nic) {
  return w.nic_of(gpu) == nic && (w.hosted || w.up(w.nic_pcie_out[gpu.index()]));
}

/// How GPU `gpu` leaves by (or is entered from) `nic`, if it can.
std::optional<Exit> exit_by(const Wiring& w, GpuId gpu, std::int64_t nic) {
  if (w.carrier[as_index(nic)] < 0) return std::nullopt;
  if (w.hosted || reaches_itself(w, gpu, nic)) return Exit{.nic = nic, .gpu = gpu};
  const GpuId by{w.carrier[as_index(nic)]};
  if (!w.same_island(gpu, by) || !scale_up_joins(w, gpu, by)) return std::nullopt;
  return Exit{.nic = nic, .gpu = by};
}

struct Way {
  Exit out;
  Exit in;
  std::int64_t hops = 0;  ///< 0: there is none yet.
};

/// Collects ways between two GPUs and keeps the first of the shortest.
class Ways {
 public:
  Ways(const Wiring& w, GpuId from, GpuId to) : w_(w), from_(from), to_(to) {}

  void offer(const std::optional<Exit>& out, const std::optional<Exit>& in) {
    if (!out || !in || !joined(w_, out->nic, in->nic)) return;
    const std::int64_t hops = scale_up_hops(w_, from_, out->gpu) + scale_up_hops(w_, in->gpu, to_) +
                              (same_leaf(w_, out->nic, in->nic) ? 4 : 6);
    if (best_.hops == 0 || hops < best_.hops) best_ = {.out = *out, .in = *in, .hops = hops};
  }
  [[nodiscard]] const Way& best() const { return best_; }

 private:
  const Wiring& w_;
  GpuId from_;
  GpuId to_;
  Way best_;
};

/// The usual ways in their order, then equal rails, then any NIC to any other.
Way way_around(const Wiring& w, GpuId from, GpuId to) {
  const std::int64_t from_nics = w.home[as_index(w.cluster.node_of(from))] * w.nics;
  const std::int64_t to_nics = w.home[as_index(w.cluster.node_of(to))] * w.nics;
  const std::optional<Exit> out = exit_of(w, from);
  const std::optional<Exit> in = exit_of(w, to);
  Ways ways(w, from, to);
  const bool direct = out && in && same_leaf(w, out->nic, in->nic);
  if (direct) ways.offer(out, in);
  if (w.is_rails()) {
    if (in) ways.offer(exit_by(w, from, from_nics + in->nic % w.nics), in);
    if (out) ways.offer(out, exit_by(w, to, to_nics + out->nic % w.nics));
  }
  if (!direct) ways.offer(out, in);
  for (std::int64_t r = 0; ways.best().hops == 0 && r < w.nics; ++r) {
    const std::int64_t rail = (w.rail_of(to) + r) % w.nics;
    ways.offer(exit_by(w, from, from_nics + rail), exit_by(w, to, to_nics + rail));
  }
  for (std::int64_t i = 0; ways.best().hops == 0 && i < w.nics * w.nics; ++i) {
    ways.offer(exit_by(w, from, from_nics + i / w.nics), exit_by(w, to, to_nics + i % w.nics));
  }
  MOESIM_CHECK(ways.best().hops > 0, "every GPU reaches every other");
  return ways.best();
}

/// The way while all links are up.
Way usual_way(const Wiring& w, GpuId from, GpuId to) {
  Way way{.out = {.nic = w.nic_of(from), .gpu = from}, .in = {.nic = w.nic_of(to), .gpu = to}};
  const std::int64_t node = w.cluster.node_of(from);
  // Below one leaf per rail the network joins equal rails only: change rails inside the source
  // node. Between leaf groups the spine is crossed anyway and joins all rails.
  if (w.is_rails() && w.rail_of(from) != w.rail_of(to) &&
      node / w.leaf_group == w.cluster.node_of(to) / w.leaf_group) {
    way.out.nic = node * w.nics + w.rail_of(to);
    if (!w.hosted) way.out.gpu = GpuId{node * w.cluster.gpus_per_node + w.local(to)};
  }
  return way;
}

void append_scale_out(const Wiring& w, GpuId from, GpuId to, Route& route) {
  const Way way = w.broken ? way_around(w, from, to) : usual_way(w, from, to);
  const std::size_t out = as_index(way.out.nic);
  const std::size_t in = as_index(way.in.nic);
  if (way.out.gpu != from) append_scale_up(w, from, way.out.gpu, route);
  if (w.hosted) route.append(w.host_out[from.index()]);
  route.append(w.nic_pcie_out[w.hosted ? out : way.out.gpu.index()]);
  route.append(w.port_out[out]);
  if (!same_leaf(w, way.out.nic, way.in.nic)) {
    const std::int64_t spine = spine_between(w, way.out.nic, way.in.nic);
    MOESIM_CHECK(spine >= 0, "a spine joins the leaves");
    route.append(w.uplink[as_index(w.leaf_of_nic[out] * w.spines + spine)]);
    route.append(w.downlink[as_index(w.leaf_of_nic[in] * w.spines + spine)]);
  }
  route.append(w.port_in[in]);
  route.append(w.nic_pcie_in[w.hosted ? in : way.in.gpu.index()]);
  if (w.hosted) route.append(w.host_in[to.index()]);
  if (way.in.gpu != to) append_scale_up(w, way.in.gpu, to, route);
}

}  // namespace

bool joined(const Wiring& w, std::int64_t nic_from, std::int64_t nic_to) {
  return same_leaf(w, nic_from, nic_to) || spine_between(w, nic_from, nic_to) >= 0;
}

bool scale_up_joins(const Wiring& w, GpuId from, GpuId to) {
  if (from == to) return true;
  if (w.switched) return w.up(w.scale_up_out[from.index()]) && w.up(w.scale_up_in[to.index()]);
  return w.up(w.mesh_link(from, to)) || detour(w, from, to).has_value();
}

std::optional<Exit> exit_of(const Wiring& w, GpuId gpu) {
  if (!w.broken) return Exit{.nic = w.nic_of(gpu), .gpu = gpu};
  const std::int64_t home = w.home[as_index(w.cluster.node_of(gpu))];
  for (std::int64_t r = 0; r < w.nics; ++r) {
    const std::int64_t nic = home * w.nics + (w.rail_of(gpu) + r) % w.nics;
    if (const std::optional<Exit> exit = exit_by(w, gpu, nic)) return exit;
  }
  return std::nullopt;
}

Route route_between(const Wiring& w, GpuId from, GpuId to) {
  Route route;
  if (from == to) return route;
  const bool island = w.same_island(from, to);
  if (island && (!w.broken || scale_up_joins(w, from, to))) {
    append_scale_up(w, from, to, route);
  } else if (w.cluster.node_of(from) == w.cluster.node_of(to)) {
    route.append(w.host_out[from.index()]);
    route.append(w.host_in[to.index()]);
  } else {
    append_scale_out(w, from, to, route);
  }
  return route;
}

}  // namespace moesim::topology
