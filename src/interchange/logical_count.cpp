// Expert loads as SGLang's recorder has them: logical_count.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "interchange/json_text.h"
#include "interchange/load_rows.h"

namespace moesim::interchange {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;

constexpr std::size_t kMostPlaces = 20;

class CountReader {
 public:
  CountReader(const JsonText& json, const RoutingHints& hints, Findings& findings)
      : json_(json), hints_(hints), findings_(findings) {}

  std::vector<LoadRow> read() {
    element counts = json_.root();
    JsonPath path;
    simdjson::dom::object object;
    if (counts.get(object) == simdjson::SUCCESS) {
      if (object["logical_count"].get(counts) != simdjson::SUCCESS) {
        bad(path, "has no logical_count");
        return {};
      }
      path.emplace_back("logical_count");
    }
    array outer;
    if (counts.get(outer) != simdjson::SUCCESS || outer.size() == 0) {
      bad(path, "expected a list of layers, got " + shown(counts));
      return {};
    }
    if (!is_list_of_lists(outer.at(0).value())) {
      add_step(outer, path);
      place_rows(path);
      return std::move(rows_);
    }
    std::size_t step = 0;
    for (const element entry : outer) {
      JsonPath below = path;
      below.emplace_back(step++);
      array layers;
      if (entry.get(layers) != simdjson::SUCCESS) {
        bad(below, "expected a list of layers, got " + shown(entry));
        break;
      }
      add_step(layers, below);
      if (findings_.full()) break;
    }
    path.emplace_back(std::size_t{0});
    place_rows(path);
    return std::move(rows_);
  }

 private:
  static bool is_list_of_lists(element value) {
    array list;
    return value.get(list) == simdjson::SUCCESS && list.size() > 0 && list.at(0).is_array();
  }

  void bad(const JsonPath& path, std::string message) {
    const TextPlace at = json_.place(path);
    findings_.add(at.line, at.column, field_of(path), std::move(message));
  }

  /// Notes where rows stand that look as if something will be said of them. Each costs a walk over
  /// the text, so that only as many are looked up as messages are shown.
  void place_rows(const JsonPath& path) {
    std::size_t looked_up = 0;
    bool any_load = false;
    for (std::size_t i = 0; i < rows_.size() && looked_up < kMostPlaces; ++i) {
      LoadRow& row = rows_[i];
      const bool zero =
          std::all_of(row.count.begin(), row.count.end(), [](double n) { return n == 0.0; });
      any_load = any_load || !zero;
      const bool odd = row.count.size() != rows_.front().count.size();
      if (!odd && !(zero && any_load)) continue;
      JsonPath here = path;
      here.emplace_back(i);
      const TextPlace at = json_.place(here);
      row.line = at.line;
      row.column = at.column;
      ++looked_up;
    }
  }

  /// Adds the counts of one step to those of the steps before.
  void add_step(array layers, const JsonPath& path) {
    if (static_cast<std::int64_t>(layers.size()) > kMaxHiddenLayers ||
        (!rows_.empty() && layers.size() != rows_.size())) {
      bad(path, rows_.empty() ? fmt::format("has more than {} layers", kMaxHiddenLayers)
                              : fmt::format("has {} layers, the steps before have {}",
                                            layers.size(), rows_.size()));
      return;
    }
    const bool first = rows_.empty();
    rows_.resize(layers.size());
    std::size_t layer = 0;
    for (const element entry : layers) {
      JsonPath below = path;
      below.emplace_back(layer);
      add_row(entry, rows_[layer], below, first);
      if (findings_.full()) return;
      ++layer;
    }
  }

  void add_row(element entry, LoadRow& row, const JsonPath& path, bool first) {
    const std::int64_t most = hints_.experts > 0 ? hints_.experts : routing::kMaxExperts;
    array counts;
    if (entry.get(counts) != simdjson::SUCCESS) {
      bad(path, "expected a list of counts, got " + shown(entry));
      return;
    }
    const auto width = static_cast<std::int64_t>(counts.size());
    if (width > most || (!first && counts.size() != row.count.size())) {
      bad(path, fmt::format("has {} loads, expected {}{} experts", width,
                            first && hints_.experts == 0 ? "at most " : "",
                            first ? most : std::ssize(row.count)));
      return;
    }
    row.count.resize(counts.size(), 0.0);
    std::size_t expert = 0;
    for (const element number : counts) {
      double count = 0.0;
      const bool is_number = number.is_number() && number.get(count) == simdjson::SUCCESS;
      const std::string problem = is_number ? count_problem(count, shown(number))
                                            : "expected a number, got " + shown(number);
      if (!problem.empty()) {
        JsonPath below = path;
        below.emplace_back(expert);
        bad(below, problem);
        if (findings_.full()) return;
      }
      row.count[expert++] += count;
    }
  }

  const JsonText& json_;
  const RoutingHints& hints_;
  Findings& findings_;
  std::vector<LoadRow> rows_;
};

}  // namespace

std::vector<LoadRow> parse_logical_count(std::string_view text, const RoutingHints& hints,
                                         Findings& findings) {
  const JsonText json(text, findings.file());
  return CountReader(json, hints, findings).read();
}

}  // namespace moesim::interchange
