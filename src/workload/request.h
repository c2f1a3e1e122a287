// One request for an answer, and a recorded sequence of them.
//
// Times are relative to the first row of the trace. Lengths are in tokens.
// Prefix blocks: ids of consecutive blocks of the prompt, as traces publish them; equal leading ids
// mean a shared prefix. The ids of all requests lie in one pool, a request holds a window of it.
// Omits:   the text itself; tool calls; images.
// Layer:   workload.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/diagnostics.h"
#include "core/sim_time.h"

namespace moesim::workload {

/// Window [offset, offset + count) of a pool of block ids.
struct PrefixBlocks {
  std::uint32_t offset = 0;
  std::uint32_t count = 0;

  friend constexpr bool operator==(const PrefixBlocks&, const PrefixBlocks&) = default;
};

/// One request. Lengths are at least 1.
struct Request {
  SimTime arrival = {};
  std::int32_t input_tokens = 1;
  std::int32_t output_tokens = 1;
  /// Conversation this request belongs to, numbered by first appearance; -1: none known.
  std::int32_t session = -1;
  std::int32_t service_class = 0;  ///< Number of its class (request_classes.h).
  PrefixBlocks prefix = {};
  /// The source gives no time of arrival but a pause after the previous answer of the session;
  /// `arrival` is then the arrival of that previous request plus the pause (a lower bound).
  bool after_previous_answer = false;
  bool last_of_session = false;  ///< Known: no turn follows.

  friend constexpr bool operator==(const Request&, const Request&) = default;
};

/// A recorded sequence of requests, arrivals ascending.
struct Trace {
  std::vector<Request> requests = {};
  std::vector<std::uint64_t> hash_ids =
      {};                               ///< Pool of prefix block ids; empty if the format has none.
  std::int32_t hash_block_tokens = 0;   ///< Tokens per prefix block; 0 if the format has none.
  std::string source = {};              ///< Name of the file and its layout, for reports.
  std::vector<std::string> notes = {};  ///< What the reader had to assume, for reports.
  std::vector<Diagnostic> bad_rows = {};  ///< The first 20 rows left out, with the reason.
  std::int64_t bad_row_count = 0;         ///< All rows left out.
};

}  // namespace moesim::workload
