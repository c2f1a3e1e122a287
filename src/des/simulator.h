// The clock and the loop: takes events in order and hands each to one handler.
//
// The handler is a template argument, called as `handler(const Event&)`: no virtual call. It
// schedules further events through the simulator it knows.
// Omits: any notion of what an event means. Layer: des.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/check.h"
#include "core/fingerprint.h"
#include "core/sim_time.h"
#include "des/event_queue.h"
#include "des/priorities.h"

namespace moesim::des {

/// One run of simulated time, from 0 on.
class Simulator {
 public:
  /// The time of the event being handled, or where the last `run` ended.
  [[nodiscard]] SimTime now() const { return now_; }
  /// Events not yet handled.
  [[nodiscard]] std::size_t pending() const { return queue_.size(); }
  /// Events handled so far.
  [[nodiscard]] std::int64_t events_handled() const { return events_handled_; }
  /// Hash of the key and the payload of every event handled, in order.
  [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_.value(); }

  /// Makes room for `count` pending events.
  void reserve(std::size_t count) { queue_.reserve(count); }

  /// Precondition (checked): time >= now(). An event for `now()` runs within this instant, even if
  /// its priority is one whose turn has passed.
  void schedule_at(SimTime time, Priority priority, const Event& event) {
    MOESIM_CHECK(time >= now_, "an event is scheduled in the past");
    queue_.push(time, priority, event);
  }

  /// Precondition (checked): delay >= 0, now() + delay within the clock.
  void schedule_after(SimTime delay, Priority priority, const Event& event) {
    MOESIM_CHECK(delay >= SimTime(), "an event is scheduled after a negative delay");
    queue_.push(now_ + delay, priority, event);
  }

  /// Ends the `run` in progress once the current event is handled; later events stay pending.
  void stop() { stopped_ = true; }

  /// Handles every event with time <= `until`, unless the handler calls `stop()`. Afterwards
  /// `now()` is `until`; if stopped, or if `until` is `never`, it is the time of the last event.
  template <class Handler>
  void run(Handler&& handler, SimTime until = SimTime::never()) {
    MOESIM_CHECK(until >= now_, "a run would end in the past");
    stopped_ = false;
    while (!queue_.empty() && queue_.top().time() <= until) {
      const PendingEvent next = queue_.pop();
      MOESIM_CHECK(next.time() >= now_, "simulated time went back");
      now_ = next.time();
      ++events_handled_;
      record(next);
      handler(next.event);
      if (stopped_) return;
    }
    if (until != SimTime::never()) now_ = until;
  }

 private:
  void record(const PendingEvent& event) {
    fingerprint_.add(static_cast<std::uint64_t>(event.key >> 64));
    fingerprint_.add(static_cast<std::uint64_t>(event.key));
    fingerprint_.add((std::uint64_t{event.event.kind} << 32) | event.event.a);
    fingerprint_.add(event.event.b);
  }

  EventQueue queue_;
  SimTime now_;
  std::int64_t events_handled_ = 0;
  Fingerprint fingerprint_;
  bool stopped_ = false;
};

}  // namespace moesim::des
