// One recorded session as a JSON document (WEKA, kv-cache-tester): turns with think time.
//
// Layout: { "block_size", "requests": [ { "in", "out", "think_time", "hash_ids" } ] }; think times
// in seconds after the answer before; ids of full blocks, local to the session. Other fields are
// passed over, those of time (`t`, `api_time`) too: when an answer ends, the run says. Omits:
// subagents' requests nested in a turn (refused), files above 256 MiB. Layer: workload (internal).
#pragma once

#include <string_view>

#include "workload/trace_reader.h"

namespace moesim::workload {

/// Throws InputError.
[[nodiscard]] Trace read_session_json(std::string_view bytes, std::string_view file_name,
                                      const ReadOptions& options);

}  // namespace moesim::workload
