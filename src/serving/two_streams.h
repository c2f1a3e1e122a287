// Compute and communication of a group of ranks as two streams, work launched in a fixed order.
//
// Model:   each rank computes in launch order on a stream of its own; exchanges of all ranks follow
//          each other on one communication stream. An exchange starts when the last rank has handed
//          over and the stream is free; a rank that waits for it stands idle until it has ended.
//          clock[r] += work; start = max(max over ranks clock, end of the exchange before);
//          end = start + length; wait: clock[r] = max(clock[r], end).
// Cost:    O(ranks) per step, nothing is searched: engines launch in a fixed order as well.
// Source:  CUDA streams and events as the engines use them; docs/models/overlap.md.
// Omits:   what one stream takes from the other (callers lengthen the work), launch by the host.
// Layer:   serving.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "core/units.h"

namespace moesim::serving {

/// An exchange on its stream: all ranks had handed over at `ready`.
struct StreamedExchange {
  Seconds ready{};
  Seconds start{};
  Seconds end{};
};

class TwoStreams {
 public:
  /// All streams free at 0.
  void reset(std::size_t ranks) {
    clock_.assign(ranks, Seconds{});
    free_ = {};
  }
  /// Each rank computes for its own time.
  void work(std::span<const Seconds> of_rank) {
    for (std::size_t r = 0; r < clock_.size(); ++r) clock_[r] += of_rank[r];
  }
  /// All compute for the same time.
  void work(Seconds of_each) {
    for (Seconds& clock : clock_) clock += of_each;
  }
  [[nodiscard]] StreamedExchange exchange(Seconds length) {
    const Seconds ready = end();
    const Seconds start = std::max(ready, free_);
    free_ = start + length;
    return {.ready = ready, .start = start, .end = free_};
  }
  /// All wait for an exchange. Returns how long they stand idle after it was ready, in the mean:
  /// the part of it, and of those it queued behind, that no work hides. Earlier idleness is waiting
  /// for slower ranks.
  Seconds wait(const StreamedExchange& exchange) {
    Seconds exposed;
    for (Seconds& clock : clock_) {
      exposed += std::max(Seconds{}, exchange.end - std::max(clock, exchange.ready));
      clock = std::max(clock, exchange.end);
    }
    return (1.0 / static_cast<double>(clock_.size())) * exposed;
  }
  [[nodiscard]] Seconds clock(std::size_t rank) const { return clock_[rank]; }
  [[nodiscard]] std::size_t ranks() const { return clock_.size(); }
  /// When the last rank has done all that was launched.
  [[nodiscard]] Seconds end() const { return *std::max_element(clock_.begin(), clock_.end()); }

 private:
  std::vector<Seconds> clock_;
  Seconds free_;  ///< When the communication stream is.
};

}  // namespace moesim::serving
