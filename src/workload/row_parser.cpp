#include "workload/row_parser.h"

#include <fmt/format.h>

namespace moesim::workload {

bool RowParser::fail(std::int64_t column, std::string_view field, std::string message,
                     std::string hint) {
  problem_ = {.column = column,
              .field = std::string(field),
              .message = std::move(message),
              .hint = std::move(hint)};
  return false;
}

std::int32_t SessionNumbers::of(std::string_view key) {
  const auto next = static_cast<std::int32_t>(numbers_.size());
  return numbers_.try_emplace(std::string(key), next).first->second;
}

std::string printable(std::string_view text) {
  constexpr std::size_t kShown = 40;
  std::string out;
  for (const char c : text.substr(0, kShown)) {
    if (c >= ' ' && c <= '~') {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  if (text.size() > kShown) out += "...";
  return out;
}

std::string in_quotes(std::string_view text) { return '"' + printable(text) + '"'; }

std::string token_count_problem(std::int64_t count) {
  if (count < 1) return fmt::format("must be at least 1 token, got {}", count);
  if (count > kMaxTokens) {
    return fmt::format("must be at most {} tokens, got {}", kMaxTokens, count);
  }
  return {};
}

}  // namespace moesim::workload
