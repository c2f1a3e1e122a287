// Recorded expert loads: a CSV of how often each expert of each layer was chosen.
//
// Form:   header "layer,expert,count", then one row per layer and expert, in any order; layers and
//         experts count from 0, an expert that does not appear was never chosen. Layers may count
//         all layers of the model (dense ones without rows) or the MoE layers alone.
// Layer:  interchange.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moesim::interchange {

/// [layer][expert]; every row has `experts` entries. Throws InputError with every bad row, at most
/// 20 of them.
[[nodiscard]] std::vector<std::vector<double>> parse_recorded_load(std::string_view bytes,
                                                                   const std::string& file_name,
                                                                   std::int64_t experts);

}  // namespace moesim::interchange
