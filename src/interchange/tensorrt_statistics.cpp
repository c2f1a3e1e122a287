#include "interchange/tensorrt_statistics.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "interchange/json_text.h"
#include "interchange/lines.h"
#include "interchange/load_rows.h"
#include "interchange/safetensors.h"
#include "interchange/text_source.h"

namespace moesim::interchange {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxFactsBytes = std::size_t{1} << 20U;
constexpr std::size_t kMaxRanks = 8192;

/// Number between a start and an end of a name: "rank12.safetensors" is 12.
std::optional<std::int64_t> number_in(std::string_view name, std::string_view start,
                                      std::string_view end) {
  if (!name.starts_with(start) || !name.ends_with(end) ||
      name.size() <= start.size() + end.size()) {
    return std::nullopt;
  }
  name.remove_prefix(start.size());
  name.remove_suffix(end.size());
  return parse_number<std::int64_t>(name);
}

std::vector<std::string> rank_files(const std::string& directory) {
  std::vector<std::pair<std::int64_t, std::string>> files;
  std::error_code problem;
  for (fs::directory_iterator at(directory, problem), end; !problem && at != end;
       at.increment(problem)) {
    const auto rank = number_in(at->path().filename().string(), "rank", ".safetensors");
    if (rank && files.size() < kMaxRanks) files.emplace_back(*rank, at->path().string());
  }
  if (problem) throw IoError(directory + ": cannot be read: " + problem.message());
  if (files.empty()) {
    refuse(directory, 0, 0, "has no file rank<r>.safetensors",
           "statistics of TensorRT-LLM have one for each rank");
  }
  std::sort(files.begin(), files.end());
  std::vector<std::string> paths;
  for (auto& [rank, path] : files) paths.push_back(std::move(path));
  return paths;
}

/// The rows of the model's MoE layers, whichever way their ids count.
std::vector<LoadRow> rows_of(const LayerCounts& counts, const RoutingHints& hints,
                             Findings& findings) {
  const ModelLayers& layers = hints.layers;
  if (layers.known() && counts.size() == layers.moe_layer_ids.size()) {
    std::size_t moe = 0;
    for (const auto& [id, row] : counts) {
      const std::int64_t absolute = layers.moe_layer_ids[moe];
      if (id != absolute && id != static_cast<std::int64_t>(moe)) {
        findings.add(0, 0, fmt::format("layer {}", id),
                     fmt::format("is not a MoE layer of the model, expected {}", absolute));
        break;
      }
      ++moe;
    }
  }
  std::vector<LoadRow> rows;
  for (const auto& [id, row] : counts) rows.push_back({.count = row});
  return rows;
}

}  // namespace

TensorRtFacts parse_tensorrt_facts(std::string_view text, const std::string& file,
                                   const RoutingHints& hints) {
  Findings findings(file);
  const JsonText json(text, file);
  const auto number = [&](std::string_view key, std::int64_t most,
                          std::int64_t expected) -> std::int64_t {
    simdjson::dom::object object;
    std::int64_t value = 0;
    if (json.root().get(object) != simdjson::SUCCESS ||
        object[key].get(value) != simdjson::SUCCESS || value < 1 || value > most) {
      const TextPlace at = json.place({key});
      findings.add(at.line, at.column, std::string(key),
                   fmt::format("must be there and 1..{}", most));
    } else if (expected > 0 && value != expected) {
      const TextPlace at = json.place({key});
      findings.add(at.line, at.column, std::string(key),
                   fmt::format("is {}, the model has {}", value, expected));
    }
    return value;
  };
  TensorRtFacts facts;
  facts.experts = number("num_experts", routing::kMaxExperts, hints.experts);
  facts.top_k = number("num_experts_per_token", routing::kMaxTopK, hints.top_k);
  findings.throw_if_any();
  return facts;
}

void add_rank_statistics(std::string_view bytes, const std::string& file, std::int64_t experts,
                         LayerCounts& counts) {
  Findings findings(file);
  for (const NumberTensor& tensor : parse_safetensors(bytes, routing::kMaxExperts, findings)) {
    if (findings.full()) break;
    const std::string field = "tensor " + in_quotes(tensor.name);
    std::string_view rest = tensor.name;
    const auto iteration = parse_number<std::int64_t>(next_piece(rest, '_'));
    const auto layer = parse_number<std::int64_t>(rest);
    if (!iteration || *iteration < 0 || !layer || *layer < 0 || *layer >= kMaxHiddenLayers) {
      findings.add(0, 0, field, "expected a name <iteration>_<layer>");
      continue;
    }
    if (std::ssize(tensor.values) != experts) {
      findings.add(0, 0, field,
                   fmt::format("layer {} has {} loads, expected {} experts", *layer,
                               tensor.values.size(), experts));
      continue;
    }
    std::vector<double>& row = counts[*layer];
    row.resize(tensor.values.size(), 0.0);
    for (std::size_t e = 0; e < row.size(); ++e) {
      const auto count = static_cast<double>(tensor.values[e]);
      if (count < 0.0 || count > kMaxCount) {
        findings.add(0, 0, field,
                     fmt::format("layer {} expert {}: must be 0..1e15, got {}", *layer, e,
                                 tensor.values[e]));
        continue;
      }
      row[e] += count;
    }
  }
  findings.throw_if_any();
}

RoutingRecord read_tensorrt_statistics(const std::string& directory, const RoutingHints& hints) {
  const std::string facts_file = directory + "/meta_info.json";
  if (!file_exists(facts_file)) {
    refuse(directory, 0, 0, "is a folder without meta_info.json",
           file_exists(directory + "/instance.json") ? "name the load or the trace inside it"
                                                     : "statistics of TensorRT-LLM have one");
  }
  const TensorRtFacts facts =
      parse_tensorrt_facts(read_text(facts_file, kMaxFactsBytes), facts_file, hints);
  LayerCounts counts;
  for (const std::string& file : rank_files(directory)) {
    add_rank_statistics(read_bytes(file, kMaxTextBytes), file, facts.experts, counts);
  }
  Findings findings(directory);
  RoutingRecord record = load_record(rows_of(counts, hints, findings), hints, findings);
  record.top_k = facts.top_k;
  return record;
}

}  // namespace moesim::interchange
