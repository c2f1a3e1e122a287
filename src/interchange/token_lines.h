// Token traces, one token a line: three layouts read into one trace.
//
// Layer: interchange (internal).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "interchange/findings.h"
#include "interchange/lines.h"
#include "interchange/routing_file.h"

namespace moesim::interchange {

/// Gathers tokens as they come, then lays them out layer by layer with the tokens of a request side
/// by side (at the place of its first one).
class TraceBuilder {
 public:
  TraceBuilder(const RoutingHints& hints, Findings& findings);

  /// Column, from 1, of the id with this index: asked for only when it is wrong.
  using Column = std::function<std::size_t(std::size_t)>;
  /// The experts of one token: `groups` layers of equally many ids. Mistakes go to the findings.
  void add(std::size_t line, std::uint64_t request, std::size_t groups,
           std::span<const std::uint32_t> ids, const Column& column);
  /// What a header of the file says; checked against the hints.
  void set_experts(std::size_t line, std::int64_t experts);
  void set_layers(std::size_t line, std::vector<std::int32_t> layers);

  /// Number of experts that ids must be below; the most there may be if unknown.
  [[nodiscard]] std::int64_t most_experts() const;
  /// Throws if there were mistakes or no tokens.
  [[nodiscard]] RoutingRecord take();

 private:
  void check_token(std::size_t line, std::size_t groups, std::span<const std::uint32_t> ids,
                   const Column& column);
  void settle_layers(std::size_t line, std::size_t groups);
  [[nodiscard]] std::vector<std::size_t> order() const;

  RoutingHints hints_;
  Findings& findings_;
  std::int64_t experts_ = 0;  ///< 0: not known.
  std::int64_t top_k_ = 0;
  std::size_t groups_ = 0;  ///< Of the first token.
  std::int64_t highest_ = -1;
  std::vector<std::int32_t> layers_;
  std::vector<std::uint64_t> request_;
  std::vector<std::uint16_t> expert_;     ///< [tokens * groups * top_k]
  std::vector<std::uint64_t> last_seen_;  ///< Of each expert: group of a token, to see doubles.
  std::uint64_t groups_seen_ = 0;
};

/// Hands every line that is not blank, with its number, to the sink; stops when no more mistakes
/// would be shown.
template <class Sink>
void each_line(std::string_view text, Findings& findings, Sink&& sink) {
  constexpr std::size_t kMaxLineBytes = std::size_t{1} << 20U;
  for (std::size_t number = 1; !text.empty() && !findings.full(); ++number) {
    const std::string_view line = next_line(text);
    if (trimmed(line).empty()) continue;
    if (line.size() > kMaxLineBytes) {
      findings.add(number, 1, "", "the line is above " + std::to_string(kMaxLineBytes) + " bytes");
    } else {
      sink(line, number);
    }
  }
}

/// "request<TAB>" and a group of two hex digits per id for each traced layer.
[[nodiscard]] RoutingRecord parse_hex_trace(std::string_view text, const RoutingHints& hints,
                                            Findings& findings);
/// "sequence<TAB>position<TAB>" and a group of comma-separated ids for each layer.
[[nodiscard]] RoutingRecord parse_tab_trace(std::string_view text, const RoutingHints& hints,
                                            Findings& findings);
/// JSON lines {"request": n, "experts": [[ids], ...]} behind an optional line {"layers": [...]}.
[[nodiscard]] RoutingRecord parse_json_trace(std::string_view text, const RoutingHints& hints,
                                             Findings& findings);

}  // namespace moesim::interchange
