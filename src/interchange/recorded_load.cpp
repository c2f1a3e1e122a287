#include "interchange/recorded_load.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "core/diagnostics.h"
#include "interchange/findings.h"
#include "interchange/lines.h"

namespace moesim::interchange {
namespace {

constexpr std::size_t kMaxShown = 20;
constexpr std::int64_t kMaxLayers = 4096;

struct Row {
  std::int64_t layer = 0;
  std::int64_t expert = 0;
  double count = 0;
};

/// The row, or why it is none.
std::variant<Row, std::string> parse_row(std::string_view line, std::int64_t experts) {
  std::array<std::string_view, 3> cells;
  std::size_t n = 0;
  for (std::string_view rest = line; n < 4; ++n) {
    const std::size_t comma = rest.find(',');
    if (n < 3) cells[n] = trimmed(rest.substr(0, comma));
    if (comma == std::string_view::npos) {
      ++n;
      break;
    }
    rest.remove_prefix(comma + 1);
  }
  if (n != 3) return std::string("expected layer,expert,count");
  const auto layer = parse_number<std::int64_t>(cells[0]);
  const auto expert = parse_number<std::int64_t>(cells[1]);
  const auto count = parse_number<double>(cells[2]);
  if (!layer || *layer < 0 || *layer >= kMaxLayers) {
    return fmt::format("layer must be 0..{}, got {}", kMaxLayers - 1, in_quotes(cells[0]));
  }
  if (!expert || *expert < 0 || *expert >= experts) {
    return fmt::format("expert must be 0..{}, got {}", experts - 1, in_quotes(cells[1]));
  }
  if (!count || !std::isfinite(*count) || *count < 0.0 || *count > 1e15) {
    return "count must be 0..1e15, got " + in_quotes(cells[2]);
  }
  return Row{*layer, *expert, *count};
}

}  // namespace

std::vector<std::vector<double>> parse_recorded_load(std::string_view bytes,
                                                     const std::string& file_name,
                                                     std::int64_t experts) {
  std::vector<Diagnostic> found;
  const auto bad = [&](int line, std::string message) {
    if (found.size() < kMaxShown) found.push_back({file_name, line, 1, "", std::move(message), ""});
  };
  std::string_view rest = bytes;
  if (trimmed(next_line(rest)) != "layer,expert,count") {
    bad(1, "the first line must be layer,expert,count");
  }
  std::vector<std::vector<double>> rows;
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for (int line = 2; !rest.empty(); ++line) {
    const std::string_view text = trimmed(next_line(rest));
    if (text.empty()) continue;
    const auto parsed = parse_row(text, experts);
    if (const auto* problem = std::get_if<std::string>(&parsed)) {
      bad(line, *problem);
      continue;
    }
    const Row row = std::get<Row>(parsed);
    if (!seen.insert({row.layer, row.expert}).second) {
      bad(line, fmt::format("layer {} expert {} stands twice", row.layer, row.expert));
      continue;
    }
    const auto layer = static_cast<std::size_t>(row.layer);
    while (rows.size() <= layer) rows.emplace_back(static_cast<std::size_t>(experts), 0.0);
    rows[layer][static_cast<std::size_t>(row.expert)] = row.count;
  }
  if (found.empty() && rows.empty()) bad(1, "the file has no rows");
  if (!found.empty()) throw InputError(std::move(found));
  return rows;
}

}  // namespace moesim::interchange
