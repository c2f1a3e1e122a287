// Requests between the pool that prefills and the pool that decodes: who waits for room, what is
// under way.
//
// Waiting requests are placed in the order of the decode pool's scheduling policy (first come first
// served, or by priority) on the decode rank that its router prefers (rank_load.h; round robin: the
// next in turn) among those that have blocks for the whole prompt and a seat; the first in the
// queue holds up the others.
// Omits: a router that knows prefixes, which decode ranks do not look for: it counts requests.
// Layer: serving.
#pragma once

#include <cstdint>
#include <vector>

#include "serving/kv_transfer.h"
#include "serving/pool.h"
#include "serving/run_result.h"
#include "serving/waiting_queue.h"

namespace moesim::serving {

class Handover {
 public:
  Handover(const Fleet& fleet, const topology::Topology& topology, Pool& decode,
           SequencePool& sequences, des::Simulator& simulator, std::uint32_t first_kind);

  [[nodiscard]] bool is_layerwise() const {
    return fleet_.kv_transfer.mode == KvTransferMode::Layerwise;
  }
  /// Where the prompt is computed.
  void set_source(SequenceIndex sequence, Target source);
  /// Asks for room on a decode rank; `place` gives it.
  void ask(SequenceIndex sequence, SimTime now);
  /// Reserves for the first that waits; kNoSequence: nobody waits or there is no room. Of caches
  /// that are complete the transfer starts.
  [[nodiscard]] SequenceIndex place(SimTime now);
  /// Requests that wait for room.
  [[nodiscard]] std::int64_t waiting() const { return waiting_.count(); }

  /// Layer-wise: all layers but the last of these chunks may leave; after it, all of them.
  void stream(const RankScheduler& rank, std::size_t lane, bool ended);
  void prefilled(SequenceIndex sequence, SimTime now);

  [[nodiscard]] bool handles(const des::Event& event) const { return transfers_.handles(event); }
  /// Sequences whose cache has arrived as a whole; valid until the next call.
  [[nodiscard]] std::span<const SequenceIndex> handle(const des::Event& event, SimTime now);
  [[nodiscard]] Target source(SequenceIndex s) const { return hops_[at(s)].source; }
  [[nodiscard]] Target target(SequenceIndex s) const { return hops_[at(s)].target; }
  [[nodiscard]] HandoverSummary summary() const;
  [[nodiscard]] NicSharing& nics() { return transfers_.nics(); }

 private:
  struct Hop {
    Target source{};
    Target target{};
    double sent = 0;  ///< Share of the cache.
    std::int32_t under_way = 0;
    bool computed = false;
    SimTime asked{};
    SimTime waited{};
    SimTime computed_at{};
  };
  static std::size_t at(SequenceIndex s) { return static_cast<std::size_t>(s); }
  void send(SequenceIndex sequence, double up_to);

  const Fleet& fleet_;
  Pool& decode_;
  SequencePool& sequences_;
  KvTransfers transfers_;
  double last_layer_;      ///< Share of one layer.
  std::vector<Hop> hops_;  ///< [sequence]
  WaitingQueue waiting_;
  std::size_t next_ = 0;  ///< Rank where the next search starts.
  std::vector<SequenceIndex> complete_;
  HandoverSummary sums_;
};

}  // namespace moesim::serving
