#include "validation/row_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <vector>

#include "core/text.h"

namespace moesim::validation {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// Lower-case words of letters, digits and points; everything else separates.
std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words(1);
  for (const char c : text) {
    if (is_digit(c) || is_letter(c) || c == '.') {
      words.back() += c;
    } else if (!words.back().empty()) {
      words.emplace_back();
    }
  }
  if (words.back().empty()) words.pop_back();
  for (std::string& word : words) word = to_lower(word);
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) all += word;
  return all;
}

/// "671b", "8b", "0528", "v0.1": says which of a family, not what is served.
bool is_qualifier(const std::string& word) {
  constexpr std::array kWords = {"instruct", "chat", "base",     "hf",    "fp8",   "nvfp4",
                                 "fp4",      "bf16", "fp16",     "awq",   "dense", "moe",
                                 "class",    "it",   "thinking", "model", "r1",    "v3"};
  if (std::find(kWords.begin(), kWords.end(), word) != kWords.end()) return true;
  const std::size_t digits = word.find_first_not_of("0123456789.");
  if (digits == std::string::npos) return true;
  if (digits > 0 && word.substr(digits) == "b") return true;
  return word[0] == 'v' && word.find_first_not_of("0123456789.", 1) == std::string::npos;
}

/// Without what stands in brackets.
std::string without_brackets(std::string_view text) {
  std::string out;
  int depth = 0;
  for (const char c : text) {
    if (c == '(') ++depth;
    if (depth == 0) out += c;
    if (c == ')' && depth > 0) --depth;
  }
  return out;
}

template <typename Entry, typename Visit>
void each_name(const Entry& entry, const Visit& visit) {
  visit(entry.name);
  for (const std::string& alias : entry.aliases) visit(alias);
}

/// Gigabytes of a word such as "80g" or "480gb"; 0: another word.
double gigabytes(const std::string& word) {
  const std::size_t digits = word.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string::npos) return 0;
  const std::string_view rest = std::string_view(word).substr(digits);
  if (rest != "g" && rest != "gb" && rest != "gib") return 0;
  return std::stod(word);
}

struct GpuName {
  std::string name;
  double memory = 0;
};
GpuName gpu_name(std::string_view text) {
  constexpr std::array kForms = {"hgx", "dgx", "box", "nvidia", "amd", "gpu"};
  GpuName found;
  for (const std::string& word : words_of(without_brackets(text))) {
    if (const double size = gigabytes(word); size > 0) {
      found.memory = size;
    } else if (std::find(kForms.begin(), kForms.end(), word) == kForms.end()) {
      found.name += word;
    }
  }
  return found;
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

const catalog::Model* model_of(std::string_view text, const catalog::Catalog& catalog) {
  if (const catalog::Model* exact = catalog.find_model(text)) return exact;
  std::vector<std::string> words = words_of(without_brackets(text));
  // From the longest run of leading words to the shortest, so that the most specific name wins.
  for (std::size_t count = words.size(); count > 0; --count) {
    const std::string name =
        joined({words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count)});
    const catalog::Model* found = nullptr;
    for (const catalog::Model& model : catalog.models) {
      each_name(model, [&](const std::string& known) {
        const std::size_t owner = known.find('/');
        const std::string_view bare = owner == std::string::npos
                                          ? std::string_view(known)
                                          : std::string_view(known).substr(owner + 1);
        if (found == nullptr &&
            (joined(words_of(known)) == name || joined(words_of(bare)) == name)) {
          found = &model;
        }
      });
    }
    if (found != nullptr) return found;
    if (!is_qualifier(words[count - 1])) return nullptr;
  }
  return nullptr;
}

const catalog::Gpu* gpu_of(std::string_view text, const catalog::Catalog& catalog) {
  if (const catalog::Gpu* exact = catalog.find_gpu(text)) return exact;
  const GpuName wanted = gpu_name(text);
  const catalog::Gpu* best = nullptr;
  double best_off = 0;
  for (const catalog::Gpu& gpu : catalog.gpus) {
    bool matches = false;
    each_name(gpu, [&](const std::string& known) {
      matches = matches || (!wanted.name.empty() && gpu_name(known).name == wanted.name);
    });
    if (!matches) continue;
    constexpr double kGiga = 1e9;
    const double off =
        wanted.memory > 0 ? std::abs(gpu.memory.base() / kGiga - wanted.memory) : 0.0;
    if (best == nullptr || off < best_off) {
      best = &gpu;
      best_off = off;
    }
  }
  return best;
}

const catalog::Engine* engine_of(std::string_view text, const catalog::Catalog& catalog) {
  const std::string wanted = joined(words_of(text));
  const catalog::Engine* best = nullptr;
  std::size_t length = 0;
  for (const catalog::Engine& engine : catalog.engines) {
    each_name(engine, [&](const std::string& known) {
      const std::string name = joined(words_of(known));
      if (name.size() <= length || !wanted.starts_with(name)) return;
      best = &engine;
      length = name.size();
    });
  }
  return best;
}

std::optional<Formats> formats_of(std::string_view text, const catalog::Model& model,
                                  const catalog::Engine& engine) {
  const std::string lower = to_lower(text);
  Formats formats{.weights = {}, .kv_cache = "auto"};
  if (holds(lower, "fp8 kv")) formats.kv_cache = "fp8";
  if (holds(lower, "bf16 kv") || holds(lower, "fp16 kv")) formats.kv_cache = "bf16";
  const std::string weights = lower.substr(0, lower.find(','));
  if (weights.empty() || holds(weights, "not stated")) return formats;
  if (holds(weights, "nvfp4") || holds(weights, "fp4")) {
    formats.weights = holds(weights, "mxfp4") ? "mxfp4" : "nvfp4";
    // The checkpoints that NVIDIA publishes in FP4 say so of their cache.
    const bool theirs = formats.weights == "nvfp4" && engine.own_checkpoints;
    if (theirs && formats.kv_cache == "auto") formats.kv_cache = "fp8";
  } else if (holds(weights, "fp8")) {
    // Released in FP8 in blocks (by its maker, or beside the bf16 weights), unless the engine
    // quantises the weights itself, one scale per tensor.
    const bool released =
        holds(to_lower(model.native_precision), "fp8") ||
        std::any_of(model.aliases.begin(), model.aliases.end(),
                    [](const std::string& a) { return to_lower(a).ends_with("-fp8"); });
    const bool blocks = holds(weights, "block") || holds(to_lower(model.native_precision), "fp8") ||
                        (released && !engine.own_checkpoints);
    formats.weights = blocks ? "fp8_block128" : "fp8_per_tensor";
  } else if (holds(weights, "bf16") || holds(weights, "fp16")) {
    formats.weights = "bf16";
  } else if (holds(weights, "awq") || holds(weights, "gptq")) {
    formats.weights = "awq_gptq_g128";
  } else if (holds(weights, "int8")) {
    formats.weights = "int8_w8a8";
  } else if (holds(weights, "int4")) {
    formats.weights = "int4_g128_sym";
  } else {
    return std::nullopt;
  }
  return formats;
}

std::optional<double> number_before(std::string_view text, std::string_view words) {
  for (std::size_t at = text.find(words); at != std::string_view::npos;
       at = text.find(words, at + 1)) {
    std::size_t end = at;
    while (end > 0 && text[end - 1] == ' ') --end;
    std::size_t start = end;
    while (start > 0 && (is_digit(text[start - 1]) || text[start - 1] == '.')) --start;
    double value = 0;
    const auto read = std::from_chars(text.data() + start, text.data() + end, value);
    if (start < end && read.ec == std::errc{} && read.ptr == text.data() + end) return value;
  }
  return std::nullopt;
}

std::optional<double> number_behind(std::string_view text, std::string_view words) {
  for (std::size_t at = text.find(words); at != std::string_view::npos;
       at = text.find(words, at + 1)) {
    std::size_t start = at + words.size();
    while (start < text.size() && (text[start] == ' ' || text[start] == ':')) ++start;
    if (start == text.size() || !is_digit(text[start])) continue;
    double value = 0;
    const auto read = std::from_chars(text.data() + start, text.data() + text.size(), value);
    if (read.ec == std::errc{}) return value;
  }
  return std::nullopt;
}

std::optional<double> end_of_range(std::string_view text, std::string_view words) {
  const auto first = number_behind(text, words);
  if (!first) return std::nullopt;
  const auto last = number_behind(text, fmt::format("{} {:g}-", words, *first));
  return last ? last : first;
}

}  // namespace moesim::validation
