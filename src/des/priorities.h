// The order of events that fall on the same picosecond, by name.
//
// Lower runs first. The rule behind the list: what ends frees resources, what begins takes them,
// and decisions come last because they must see the whole instant. Events of equal time and
// priority run in the order in which they were scheduled. Layer: des.
#pragma once

#include <cstdint>

namespace moesim::des {

/// Rank of an event within one instant. Values leave room for names between them.
enum class Priority : std::uint8_t {
  /// A GPU, node or link breaks or returns. First: what completes at the very instant of a failure
  /// must already see the hardware as it is from then on.
  Hardware = 10,
  /// A flow over links ends. Before iterations: a step may wait for its last byte.
  TransferEnd = 20,
  /// A step of a replica or of an EP group ends. Before arrivals: it frees KV blocks and batch
  /// slots, which a request arriving now may then take.
  IterationEnd = 30,
  /// Replicas start or stop by schedule, experts move. After completions, so that a drained replica
  /// is seen as idle; before arrivals, so that the router knows which replicas exist.
  Reconfigure = 40,
  /// A request enters the system. After all that frees, before all that decides.
  Arrival = 50,
  /// A request, or its KV cache, is handed to a replica. After arrivals of the same instant, so
  /// that the receiver's queue holds all of them.
  Handover = 60,
  /// A scheduler forms its next batch. After everything that changes queues or memory.
  Schedule = 70,
  /// The rates of flows are solved anew. After scheduling: the transfers it starts now share links
  /// with the old ones, and one solution serves them all.
  RateUpdate = 80,
  /// Statistics are sampled or a measuring window opens or closes. Last: they report the instant as
  /// it was left.
  Observe = 90,
};

}  // namespace moesim::des
