// Flows over links through time: they start, share the links max-min fairly, and end.
//
// Model:   the rate of a flow is weight * level of its bottleneck (bottlenecks.h), constant between
//          two changes. All flows of one bottleneck advance at one rate per weight, so each link
//          keeps one clock of bytes per weight served; a flow ends when the clock reaches its tag.
//          A change of rate costs the link one number, not one per flow. Flows of one path are one
//          class with the sum of their weights.
//          Arrivals and departures of one instant are rated together, by one `rerate`.
// Time:    ends are rounded to the nearest picosecond, so flows whose ends fall into the same one
//          end together; nothing else is batched. A flow is at most half a picosecond of its rate
//          short of its bytes when it ends.
// Omits:   latency (add it before the start), slow start, loss, packets.
// Cost:    see bottlenecks.h; no allocation once paths are known and their number of flows at a
//          time has been reached before. Formulas and speed: docs/models/flows.md. Layer: net.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "core/ids.h"
#include "core/sim_time.h"
#include "core/units.h"
#include "net/bottlenecks.h"

namespace moesim::net {

using PathId = Id<struct PathTag>;  ///< A path made known to one network.

/// What is told of a flow that has ended.
struct EndedFlow {
  std::uint64_t tag = 0;  ///< The caller's.
  PathId path;
  Bytes bytes;
  SimTime started;
  std::uint64_t sequence = 0;  ///< Number of the start.
};

/// What a link has carried.
struct LinkUse {
  Bytes carried;       ///< By flows that have ended and those under way.
  Seconds busy;        ///< Integral of rate over capacity.
  Seconds bottleneck;  ///< While it was the bottleneck of some flow.
};

/// Flows on one set of links. Time is the caller's and never goes back.
class FlowNetwork {
 public:
  /// `pass_over`: links that can never be a bottleneck because each of their flows also crosses one
  /// narrower link of theirs (net::dominated_links finds them); they only count bytes. Empty: none.
  /// Links of rate 0 are down.
  explicit FlowNetwork(std::span<const BytesPerSecond> capacity,
                       std::span<const std::uint8_t> pass_over = {});

  /// Makes a path known; the same links give the same id. At least one link is not passed over;
  /// none is down (checked).
  PathId add_path(std::span<const LinkId> links);
  /// Starts a flow; it gets a rate with the next `rerate`. Preconditions (checked): bytes > 0,
  /// weight >= 1.
  void start(SimTime now, PathId path, Bytes bytes, std::uint64_t tag, std::int32_t weight = 1);
  /// From now on the link has another rate, not above the widest link's at the start; flows get
  /// theirs with the next `rerate`. A link passed over stays so: its narrower neighbour is the one
  /// to change. `use` goes on counting by the rate at the start. Precondition (checked): rate > 0.
  void set_capacity(SimTime now, LinkId link, BytesPerSecond rate);
  /// Rates everything that has started or ended since the last time, and what that touches.
  void rerate(SimTime now);
  /// When the next flow ends; `never` without flows. Precondition: rerated.
  [[nodiscard]] SimTime next_end();
  /// Flows that end at `now` (which is next_end()), in the order in which they were started. The
  /// result is valid until the next call. Call `rerate` before asking for rates again.
  [[nodiscard]] std::span<const EndedFlow> end_due(SimTime now);

  /// Time of the last start, end or rerate; what follows may not be before it.
  [[nodiscard]] SimTime last_change() const { return last_change_; }
  [[nodiscard]] std::int64_t active() const { return active_; }
  [[nodiscard]] bool rated() const { return bottlenecks_.solved(); }
  /// Rate of each flow of weight 1 on the path; zero without flows. Precondition: rerated.
  [[nodiscard]] BytesPerSecond rate(PathId path) const;
  /// Of all flows on a link; zero where the link is passed over. Precondition: rerated.
  [[nodiscard]] BytesPerSecond load(LinkId link) const { return bottlenecks_.load(link); }
  /// What each link has carried up to now. O(paths and active flows); counting itself is free.
  [[nodiscard]] std::vector<LinkUse> use(SimTime now) const;
  [[nodiscard]] std::size_t links() const { return capacity_.size(); }

 private:
  struct Flow {
    double tag = 0;  ///< End on the clock of its class, bytes per weight.
    std::uint64_t sequence = 0;
    std::uint64_t user_tag = 0;
    double bytes = 0;
    SimTime started;
    std::int32_t weight = 1;
    std::int32_t path = 0;
  };
  struct Class {
    double offset = 0;  ///< Clock of the owning link - clock of the class; without owner: - clock.
    double head = 0;    ///< Tag of the first flow to end, on the clock of the class.
    std::vector<Flow> flows;  ///< A heap, first to end first.
    std::int32_t link = Bottlenecks::kNone;
  };
  struct Clock {
    double served = 0;  ///< Bytes per weight.
    double rate = 0;    ///< Bytes per second and weight; 0: owns no class.
    SimTime since;
    double first_tag = 0;  ///< Of the classes it owns, on this clock.
    bool idle = true;      ///< Starts from 0 with the next class.
    bool stale = false;    ///< first_tag must be looked for again.
    bool moved = false;    ///< first_tag or a clock has changed since end_ was set.
    Seconds full;
  };
  struct Path {
    std::vector<LinkId> links;
    std::int32_t path_class = 0;
    double carried = 0;
  };

  static std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }
  void set_time(SimTime now);
  static void advance(Clock& clock, SimTime now);
  [[nodiscard]] double served(const Class& c, SimTime now) const;
  /// Takes a class off its link's clock, until the next `rerate` gives it one.
  void detach(std::int32_t path_class, SimTime now);
  void apply(const Bottlenecks::Move& move, SimTime now);
  void refresh(std::int32_t link, SimTime now);
  void set_end(std::int32_t link, SimTime end);
  void find_due(std::int32_t link, SimTime now);
  void end_flows(std::int32_t path_class, double up_to);

  static constexpr std::size_t kBlock = 16;

  std::vector<double> capacity_;
  std::vector<std::uint8_t> pass_over_;
  Bottlenecks bottlenecks_;
  std::vector<Path> paths_;
  std::map<std::vector<LinkId>, PathId> path_of_links_;
  std::map<std::vector<LinkId>, std::int32_t> class_of_links_;
  std::vector<Class> class_;  ///< As numbered by bottlenecks_.
  std::vector<Clock> clock_;  ///< [link]
  std::vector<SimTime> end_;  ///< [link] of the first flow to end; padded to whole blocks.
  std::vector<SimTime> first_end_of_block_;
  std::vector<std::uint8_t> stale_block_;
  struct Due {
    std::int32_t path_class = 0;
    double up_to = 0;  ///< On the clock of the class.
  };
  std::vector<Due> due_;
  std::vector<EndedFlow> ended_;
  SimTime last_change_;
  std::int64_t active_ = 0;
  std::uint64_t next_sequence_ = 0;
};

}  // namespace moesim::net
