// Experts of recorded or drawn tokens, layer by layer: what co-activation is read from.
//
// Layer: routing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace moesim::routing {

/// The same tokens in every traced layer, in the order in which they came. Experts of a token in a
/// layer are distinct and below `experts`.
struct TokenTrace {
  std::int64_t experts = 0;
  std::int64_t top_k = 0;
  std::vector<std::int32_t> layer;     ///< [rows] MoE layer (0-based) of each row, ascending.
  std::vector<std::uint64_t> request;  ///< [tokens] tokens of a request are adjacent.
  std::vector<std::uint16_t> expert;   ///< [rows * tokens * top_k]

  [[nodiscard]] bool empty() const { return request.empty(); }
  [[nodiscard]] std::int64_t tokens() const { return std::ssize(request); }
  [[nodiscard]] std::int64_t rows() const { return std::ssize(layer); }
  /// [tokens * top_k] of one row.
  [[nodiscard]] std::span<const std::uint16_t> experts_of(std::int64_t row) const {
    const auto size = static_cast<std::size_t>(tokens() * top_k);
    return std::span(expert).subspan(static_cast<std::size_t>(row) * size, size);
  }
  /// Row of a MoE layer; nothing if the layer was not traced.
  [[nodiscard]] std::optional<std::int64_t> row_of(std::int64_t moe_layer) const {
    const auto at = std::lower_bound(layer.begin(), layer.end(), moe_layer);
    if (at == layer.end() || *at != moe_layer) return std::nullopt;
    return at - layer.begin();
  }
};

}  // namespace moesim::routing
