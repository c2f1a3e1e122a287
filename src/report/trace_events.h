// Trace events one by one, in the JSON form that Perfetto and chrome://tracing read.
//
// Layer: report.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include "core/sim_time.h"
#include "serving/timeline.h"

namespace moesim::report {

/// A line of the drawing.
struct TraceLine {
  std::int64_t process = 0;
  std::int64_t thread = 0;
};

/// Whole nanoseconds of the simulated clock: slices that join up stay joined.
class TraceClock {
 public:
  explicit TraceClock(SimTime start) : start_(start.seconds()) {}
  [[nodiscard]] std::int64_t at(Seconds since_start) const {
    return static_cast<std::int64_t>((start_ + since_start) / kSecond * 1e9 + 0.5);
  }

 private:
  Seconds start_;
};

/// "text" with quotes, escaped.
[[nodiscard]] std::string json_string(std::string_view text);

/// Writes the events of one document. `args` are members of an object without its braces.
class TraceEvents {
 public:
  TraceEvents(std::ostream& out, std::string_view other_data);
  /// Ends the document.
  void close();

  void process_name(std::int64_t process, std::string_view name);
  void thread_name(const TraceLine& line, std::string_view name);
  /// From `begin` to `end` in nanoseconds.
  void slice(const TraceLine& line, std::string_view name, std::int64_t begin, std::int64_t end,
             std::string_view args, std::string_view colour = {});
  void counter(const TraceLine& line, std::string_view name, std::int64_t at,
               std::string_view values);
  void arrow(const TraceLine& from, const TraceLine& to, std::string_view name, std::int64_t at);

 private:
  void event(const std::string& members);
  std::ostream* out_;
  bool first_ = true;
  std::int64_t arrows_ = 0;
};

/// Threads and slices of the links of one stage; `process` is theirs alone, `first_rank` the number
/// of the stage's first rank in the instance.
void name_links(TraceEvents& events, std::int64_t process, const serving::StageTimeline& stage,
                std::size_t first_rank, bool sends);
void write_links(TraceEvents& events, std::int64_t process, const serving::StageTimeline& stage);

}  // namespace moesim::report
