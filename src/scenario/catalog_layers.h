// The order of a model's layers as a short text: "dense*3 moe*58", "(window full)*12".
//
// Grammar: sequence = item { space item }; item = (name | "(" sequence ")") [ "*" count ].
// Layer: scenario.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "catalog/model.h"

namespace moesim::scenario {

/// Longest model accepted.
inline constexpr std::int64_t kMaxLayers = 4096;

struct LayerPatternError {
  std::string message;
  std::string hint;
};

/// Runs of kinds, neighbours of one kind joined. Names are those of `kinds`.
[[nodiscard]] std::variant<std::vector<catalog::LayerRun>, LayerPatternError> parse_layers(
    std::string_view text, std::span<const std::string> kinds);

/// A short text that parses back to `runs`: finds the repetitions of a period, if there are any.
[[nodiscard]] std::string format_layers(std::span<const catalog::LayerRun> runs,
                                        std::span<const std::string> kinds);

}  // namespace moesim::scenario
