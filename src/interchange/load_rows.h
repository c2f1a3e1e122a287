// Rows of expert loads on their way into a record: which are MoE layers, and what is wrong.
//
// Layer: interchange (internal).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "interchange/findings.h"
#include "interchange/routing_file.h"

namespace moesim::interchange {

inline constexpr std::int64_t kMaxHiddenLayers = 4096;
inline constexpr double kMaxCount = 1e15;  ///< Counts above it are mistakes, not recordings.

/// One layer as the file has it. Line and column 0: not known.
struct LoadRow {
  std::vector<double> count;
  std::size_t line = 0;
  std::size_t column = 0;
};

/// Why a number is no count of choices; empty if it is one.
[[nodiscard]] std::string count_problem(double count, std::string_view text);

/// Keeps the MoE layers and checks them: rows of one width, as many as the model's, none all zero.
/// Leading rows of zeros are dense layers. Mistakes go to `findings`, which are thrown if any.
[[nodiscard]] RoutingRecord load_record(std::vector<LoadRow> rows, const RoutingHints& hints,
                                        Findings& findings);

/// Lines of comma-separated numbers, one per layer.
[[nodiscard]] std::vector<LoadRow> parse_load_matrix(std::string_view text,
                                                     const RoutingHints& hints, Findings& findings);

/// {"logical_count": [layers][experts]} or [steps][layers][experts], or the bare list.
[[nodiscard]] std::vector<LoadRow> parse_logical_count(std::string_view text,
                                                       const RoutingHints& hints,
                                                       Findings& findings);

}  // namespace moesim::interchange
