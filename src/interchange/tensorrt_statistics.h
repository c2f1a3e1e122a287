// Expert statistics that TensorRT-LLM writes to a folder.
//
// Files:  meta_info.json {num_experts, num_experts_per_token}; rank<r>.safetensors with a tensor
//         "<iteration>_<layer>" of one count per expert. Summed over iterations and ranks.
// Form:   docs/formats/engine_files.md. Layer: interchange (internal).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "interchange/routing_file.h"

namespace moesim::interchange {

/// Throws InputError with the mistakes of the first file that has any, IoError if one cannot be
/// read.
[[nodiscard]] RoutingRecord read_tensorrt_statistics(const std::string& directory,
                                                     const RoutingHints& hints);

struct TensorRtFacts {
  std::int64_t experts = 0;
  std::int64_t top_k = 0;
};
[[nodiscard]] TensorRtFacts parse_tensorrt_facts(std::string_view text, const std::string& file,
                                                 const RoutingHints& hints);

/// Counts of each layer id that was recorded.
using LayerCounts = std::map<std::int64_t, std::vector<double>>;
/// Adds the counts of one rank.
void add_rank_statistics(std::string_view bytes, const std::string& file, std::int64_t experts,
                         LayerCounts& counts);

}  // namespace moesim::interchange
