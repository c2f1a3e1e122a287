#include "scenario/catalog_layers.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "core/text.h"

namespace moesim::scenario {
namespace {

using Sequence = std::vector<std::int32_t>;  // One kind per layer.

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Recursive descent over the grammar; depth and length are bounded.
class PatternParser {
 public:
  PatternParser(std::string_view text, std::span<const std::string> kinds)
      : text_(text), kinds_(kinds) {}

  std::optional<LayerPatternError> run(Sequence& out) {
    sequence(out, 0);
    if (!error_ && at_ < text_.size()) fail("has a \")\" without \"(\"", "remove it");
    if (!error_ && out.empty()) fail("names no layer", "write for example \"dense*3 moe*58\"");
    return error_;
  }

 private:
  static constexpr int kMaxDepth = 8;

  void fail(std::string message, std::string hint) {
    if (!error_) error_ = LayerPatternError{std::move(message), std::move(hint)};
  }

  void sequence(Sequence& out, int depth) {
    while (!error_) {
      while (at_ < text_.size() && text_[at_] == ' ') ++at_;
      if (at_ == text_.size() || text_[at_] == ')') return;
      const Sequence item = one_item(depth);
      const std::int64_t times = repetitions();
      const auto size = static_cast<std::int64_t>(out.size() + item.size() * std::size_t(times));
      if (size > kMaxLayers) {
        fail("makes more than " + std::to_string(kMaxLayers) + " layers", "use fewer");
      }
      for (std::int64_t i = 0; i < times && !error_; ++i) {
        out.insert(out.end(), item.begin(), item.end());
      }
    }
  }

  Sequence one_item(int depth) {
    if (text_[at_] != '(') return {name()};
    if (depth == kMaxDepth) {
      fail("nests more than 8 parentheses", "write it flatter");
      return {};
    }
    ++at_;
    Sequence inner;
    sequence(inner, depth + 1);
    if (error_) return inner;
    if (at_ == text_.size()) {
      fail("has a \"(\" without \")\"", "close it");
    } else {
      ++at_;
    }
    return inner;
  }

  std::int32_t name() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_name_char(text_[at_])) ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    if (word.empty()) {
      fail("has an unexpected \"" + std::string(1, text_[at_]) + "\"",
           "use names of kinds, \"*\" with a count, and parentheses");
      return 0;
    }
    const auto found = std::find(kinds_.begin(), kinds_.end(), word);
    if (found == kinds_.end()) {
      const std::string nearest = nearest_name(word, kinds_);
      fail("names the unknown kind \"" + std::string(word) + "\"",
           nearest.empty() ? "name one of the model's kinds" : "did you mean " + nearest + "?");
    }
    return static_cast<std::int32_t>(found - kinds_.begin());
  }

  std::int64_t repetitions() {
    if (error_ || at_ == text_.size() || text_[at_] != '*') return 1;
    ++at_;
    std::int64_t count = 0;
    const std::size_t begin = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9' && count <= kMaxLayers) {
      count = count * 10 + (text_[at_] - '0');
      ++at_;
    }
    if (begin == at_ || count < 1 || count > kMaxLayers) {
      fail("has a \"*\" without a count from 1 to " + std::to_string(kMaxLayers), "give the count");
      return 1;
    }
    return count;
  }

  std::string_view text_;
  std::span<const std::string> kinds_;
  std::size_t at_ = 0;
  std::optional<LayerPatternError> error_;
};

std::vector<catalog::LayerRun> joined(const Sequence& sequence) {
  std::vector<catalog::LayerRun> runs;
  for (const std::int32_t kind : sequence) {
    if (runs.empty() || runs.back().kind != kind) runs.push_back({.kind = kind, .count = 0});
    ++runs.back().count;
  }
  return runs;
}

/// Longest repetition format_layers() looks for.
constexpr std::size_t kMaxPeriod = 64;

bool same(const catalog::LayerRun& a, const catalog::LayerRun& b) {
  return a.kind == b.kind && a.count == b.count;
}

/// How often the `period` runs from `first` stand in a row.
std::size_t repeats_of(std::span<const catalog::LayerRun> runs, std::size_t first,
                       std::size_t period) {
  std::size_t times = 1;
  while (first + (times + 1) * period <= runs.size() &&
         std::equal(runs.begin() + std::ptrdiff_t(first),
                    runs.begin() + std::ptrdiff_t(first + period),
                    runs.begin() + std::ptrdiff_t(first + times * period), same)) {
    ++times;
  }
  return times;
}

}  // namespace

std::variant<std::vector<catalog::LayerRun>, LayerPatternError> parse_layers(
    std::string_view text, std::span<const std::string> kinds) {
  Sequence sequence;
  if (auto error = PatternParser(text, kinds).run(sequence)) return *error;
  return joined(sequence);
}

std::string format_layers(std::span<const catalog::LayerRun> runs,
                          std::span<const std::string> kinds) {
  const auto item = [&](const catalog::LayerRun& run) {
    std::string text = kinds[static_cast<std::size_t>(run.kind)];
    if (run.count > 1) text += "*" + std::to_string(run.count);
    return text;
  };
  std::string result;
  std::size_t at = 0;
  while (at < runs.size()) {
    std::size_t best_period = 1;
    std::size_t best_times = 1;
    for (std::size_t period = 2; period <= kMaxPeriod && at + 2 * period <= runs.size(); ++period) {
      const std::size_t times = repeats_of(runs, at, period);
      if (times > 1 && times * period > best_times * best_period) {
        best_period = period;
        best_times = times;
      }
    }
    if (!result.empty()) result += ' ';
    if (best_times == 1) {
      result += item(runs[at]);
      ++at;
      continue;
    }
    result += '(';
    for (std::size_t i = 0; i < best_period; ++i) {
      if (i > 0) result += ' ';
      result += item(runs[at + i]);
    }
    result += ")*" + std::to_string(best_times);
    at += best_period * best_times;
  }
  return result;
}

}  // namespace moesim::scenario
