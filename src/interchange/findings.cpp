#include "interchange/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace moesim::interchange {
namespace {

constexpr std::size_t kMostShown = 20;
constexpr std::size_t kShownBytes = 40;

int bounded(std::size_t n) {
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<int>::max());
  return static_cast<int>(std::min(n, kMost));
}

}  // namespace

std::string in_quotes(std::string_view text) {
  std::string result = "\"";
  for (const char c : text.substr(0, kShownBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    // Bytes of other scripts may be cut in two here, so they are spelled out.
    if (byte < 0x20 || byte >= 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result + (text.size() > kShownBytes ? "...\"" : "\"");
}

void Findings::add(std::size_t line, std::size_t column, std::string field, std::string message,
                   std::string hint) {
  if (found_.size() >= kMostShown) {
    ++more_;
    return;
  }
  found_.push_back({file_, bounded(line), bounded(column), std::move(field), std::move(message),
                    std::move(hint)});
}

void Findings::throw_if_any() {
  if (found_.empty()) return;
  std::stable_sort(found_.begin(), found_.end(),
                   [](const Diagnostic& a, const Diagnostic& b) { return a.line < b.line; });
  if (more_ > 0) {
    found_.push_back(
        {file_, 0, 0, "", "more mistakes are not shown", "mend the first ones and try again"});
  }
  throw InputError(std::move(found_));
}

void refuse(const std::string& file, std::size_t line, std::size_t column, std::string message,
            std::string hint) {
  throw InputError(
      Diagnostic{file, bounded(line), bounded(column), "", std::move(message), std::move(hint)});
}

}  // namespace moesim::interchange
