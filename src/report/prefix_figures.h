// What prompts found in prefix caches, as a line of the table and as a message.
//
// Layer: report.
#pragma once

#include <string>

#include "result.pb.h"
#include "serving/kv_pool.h"

namespace moesim::report {

[[nodiscard]] std::string prefix_text(const serving::PrefixCounts& found);
void fill_prefixes(const serving::PrefixCounts& from, proto::PrefixCacheReport& to);

}  // namespace moesim::report
