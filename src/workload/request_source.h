// Where a run takes its requests from: pulled one at a time, so that millions need no memory.
//
// Layer: workload.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "workload/request.h"

namespace moesim::workload {

/// Strategy: a trace in memory, a trace file read as the run goes, or a generator.
class RequestSource {
 public:
  virtual ~RequestSource() = default;
  /// The next request, arrivals ascending; empty after the last one. Throws InputError if a file
  /// read on the way holds a bad row that must not be skipped.
  [[nodiscard]] virtual std::optional<Request> next() = 0;
  /// Pool that `prefix` of the request given last refers to. Valid until the next call of next().
  [[nodiscard]] virtual std::span<const std::uint64_t> hash_ids() const { return {}; }
  /// Tokens that each of these ids stands for; 0 if there are none.
  [[nodiscard]] virtual std::int32_t hash_block_tokens() const { return 0; }
  /// What is assumed or left out ("prefix reuse not applied"), for the report. Complete once next()
  /// has returned empty.
  [[nodiscard]] virtual std::vector<std::string> notes() const { return {}; }
};

/// Replays a trace held in memory. The trace must outlive the source.
[[nodiscard]] std::unique_ptr<RequestSource> make_trace_source(const Trace& trace);

}  // namespace moesim::workload
