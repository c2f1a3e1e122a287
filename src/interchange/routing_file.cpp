#include "interchange/routing_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>

#include "core/check.h"
#include "interchange/instance_facts.h"
#include "interchange/lines.h"
#include "interchange/load_rows.h"
#include "interchange/recorded_load.h"
#include "interchange/tensorrt_statistics.h"
#include "interchange/text_source.h"
#include "interchange/token_lines.h"

namespace moesim::interchange {
namespace {

enum class Layout { Torch, JsonLoads, JsonTokens, LoadList, LoadMatrix, HexTokens, TabTokens };

std::string_view first_line(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    if (!trimmed(line).empty()) return line;
  }
  return {};
}

Layout layout_of(std::string_view text, const std::string& name) {
  // A zip archive (torch.save) or a bare pickle.
  if (text.starts_with("PK\x03\x04") || text.starts_with("\x80\x02") || name.ends_with(".pt")) {
    return Layout::Torch;
  }
  const std::string_view line = first_line(text);
  const std::string_view start = trimmed(line);
  if (start.empty()) refuse(name, 0, 0, "is empty");
  if (start.front() == '[') return Layout::JsonLoads;
  if (start.front() == '{') {
    if (text.find("\"physical_to_logical_map\"") != std::string_view::npos ||
        text.find("\"layer_list\"") != std::string_view::npos) {
      refuse(name, 1, 1, "is a placement, not recorded routing");
    }
    return text.find("\"logical_count\"") != std::string_view::npos ? Layout::JsonLoads
                                                                    : Layout::JsonTokens;
  }
  const auto tabs = std::count(line.begin(), line.end(), '\t');
  if (tabs == 1) return Layout::HexTokens;
  if (tabs == 2) return Layout::TabTokens;
  if (start == "layer,expert,count") return Layout::LoadList;
  if (tabs == 0 && (start.find(',') != std::string_view::npos || parse_number<double>(start))) {
    return Layout::LoadMatrix;
  }
  refuse(name, 1, 1, "is neither recorded expert loads nor a token trace: " + in_quotes(line),
         "the layouts are in docs/formats/engine_files.md");
}

[[noreturn]] void refuse_torch(const std::string& name) {
  const std::string stem = std::filesystem::path(name).stem().string();
  refuse(name, 0, 0, "holds Python objects, which are not read",
         fmt::format("convert it: python3 -c 'import json,torch; json.dump({{\"logical_count\": "
                     "torch.load(\"{0}.pt\")[\"logical_count\"].sum(0).tolist()}}, "
                     "open(\"{0}.json\",\"w\"))'",
                     stem));
}

std::vector<LoadRow> load_list(std::string_view text, const RoutingHints& hints,
                               const std::string& name) {
  const std::int64_t most = hints.experts > 0 ? hints.experts : routing::kMaxExperts;
  std::vector<std::vector<double>> rows = parse_recorded_load(text, name, most);
  if (hints.experts == 0) {
    std::size_t width = 1;  // Up to the last expert that was ever chosen.
    for (const auto& row : rows) {
      const auto last = std::find_if(row.rbegin(), row.rend(), [](double n) { return n > 0.0; });
      width = std::max(width, static_cast<std::size_t>(row.rend() - last));
    }
    for (auto& row : rows) row.resize(width);
  }
  std::vector<LoadRow> result;
  result.reserve(rows.size());
  for (auto& row : rows) result.push_back({.count = std::move(row)});
  return result;
}

RoutingRecord parse_text(std::string_view text, const std::string& name,
                         const RoutingHints& hints) {
  Findings findings(name);
  const Layout layout = layout_of(text, name);
  if (layout == Layout::JsonLoads && text.size() > kMaxJsonBytes) {
    refuse(name, 0, 0, fmt::format("is larger than {} MiB", kMaxJsonBytes >> 20U),
           "add the steps up before");
  }
  switch (layout) {
    case Layout::Torch:
      refuse_torch(name);
    case Layout::JsonLoads:
      return load_record(parse_logical_count(text, hints, findings), hints, findings);
    case Layout::JsonTokens:
      return parse_json_trace(text, hints, findings);
    case Layout::LoadList:
      return load_record(load_list(text, hints, name), hints, findings);
    case Layout::LoadMatrix:
      return load_record(parse_load_matrix(text, hints, findings), hints, findings);
    case Layout::HexTokens:
      return parse_hex_trace(text, hints, findings);
    case Layout::TabTokens:
      break;
  }
  return parse_tab_trace(text, hints, findings);
}

[[noreturn]] void refuse_merge(const RoutingRecord& record, std::string message) {
  refuse(record.name, 0, 0, std::move(message), "records of one model can be put together");
}

/// Requests of one file numbered on from those before.
void append_tokens(routing::TokenTrace& all, const routing::TokenTrace& more,
                   std::uint64_t& next_request) {
  std::map<std::uint64_t, std::uint64_t> number;
  const std::size_t before = all.request.size();
  for (const std::uint64_t request : more.request) {
    const auto [at, is_new] = number.try_emplace(request, next_request);
    if (is_new) ++next_request;
    all.request.push_back(at->second);
  }
  // Rows grow by the tokens of `more`: laid out anew.
  const auto old_size = before * static_cast<std::size_t>(all.top_k);
  std::vector<std::uint16_t> expert;
  expert.reserve(all.expert.size() + more.expert.size());
  for (std::int64_t row = 0; row < all.rows(); ++row) {
    const auto from = all.expert.begin() + static_cast<std::ptrdiff_t>(old_size) * row;
    expert.insert(expert.end(), from, from + static_cast<std::ptrdiff_t>(old_size));
    const auto added = more.experts_of(row);
    expert.insert(expert.end(), added.begin(), added.end());
  }
  all.expert = std::move(expert);
}

}  // namespace

RoutingHints hints_of(const routing::RoutingShape& shape) {
  return {.moe_layers = shape.moe_layers, .experts = shape.experts, .top_k = shape.top_k};
}

RoutingRecord parse_routing(std::string_view bytes, const std::string& name,
                            const RoutingHints& hints) {
  std::string text = unpacked(std::string(bytes), name, kMaxTextBytes);
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  return parse_text(text, name, hints);
}

RoutingRecord read_routing(const std::string& path, const RoutingHints& hints) {
  std::error_code code;
  if (std::filesystem::is_directory(path, code)) return read_tensorrt_statistics(path, hints);
  const std::string text = read_text(path, kMaxTextBytes);
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const std::string beside = folder.empty() ? "." : folder;
  if (hints.trace_layers.empty() && layout_of(text, path) == Layout::HexTokens &&
      file_exists(beside + "/instance.json")) {
    // Which layers the groups are stands beside the trace.
    const InstanceFacts facts = read_instance_facts(beside);
    RoutingHints told = hints;
    told.trace_layers = facts.trace_layers;
    if (told.moe_layers == 0) told.moe_layers = facts.shape.moe_layers;
    if (told.experts == 0) told.experts = facts.shape.experts;
    if (told.top_k == 0) told.top_k = facts.shape.top_k;
    return parse_text(text, path, told);
  }
  return parse_text(text, path, hints);
}

RoutingRecord merge(std::span<const RoutingRecord> records) {
  MOESIM_CHECK(!records.empty(), "there is something to merge");
  RoutingRecord all;
  std::uint64_t next_request = 0;
  for (const RoutingRecord& record : records) {
    if (all.name.empty()) {
      all.name = record.name;
      all.experts = record.experts;
      all.moe_layers = record.moe_layers;
    } else {
      all.name += " + " + record.name;
    }
    if (record.experts != all.experts) {
      refuse_merge(record, fmt::format("has {} experts, the files before have {}", record.experts,
                                       all.experts));
    }
    all.moe_layers = std::max(all.moe_layers, record.moe_layers);
    if (!record.load.empty()) {
      if (all.load.empty()) all.load.assign(record.load.size(), 0.0);
      if (all.load.size() != record.load.size()) {
        refuse_merge(record, fmt::format("has loads of {} layers, the files before have {}",
                                         record.moe_layers, std::ssize(all.load) / all.experts));
      }
      for (std::size_t i = 0; i < all.load.size(); ++i) all.load[i] += record.load[i];
    }
    if (record.top_k > 0 && all.top_k > 0 && record.top_k != all.top_k) {
      refuse_merge(record, fmt::format("has {} experts per token, the files before have {}",
                                       record.top_k, all.top_k));
    }
    all.top_k = std::max(all.top_k, record.top_k);
    if (record.tokens.empty()) continue;
    if (all.tokens.empty()) {
      all.tokens.experts = record.tokens.experts;
      all.tokens.top_k = record.tokens.top_k;
      all.tokens.layer = record.tokens.layer;
    } else if (all.tokens.layer != record.tokens.layer) {
      refuse_merge(record, "has traced other layers than the files before");
    }
    append_tokens(all.tokens, record.tokens, next_request);
  }
  return all;
}

placement::Workload to_workload(RoutingRecord record, const routing::RoutingShape& shape) {
  Findings findings(record.name);
  if (record.experts != shape.experts) {
    findings.add(0, 0, "",
                 fmt::format("has {} experts, the model has {}", record.experts, shape.experts));
  }
  if (record.top_k > 0 && record.top_k != shape.top_k) {
    findings.add(
        0, 0, "",
        fmt::format("has {} experts per token, the model has {}", record.top_k, shape.top_k));
  }
  const routing::TokenTrace& tokens = record.tokens;
  if (!record.load.empty() && record.moe_layers != shape.moe_layers) {
    findings.add(0, 0, "",
                 fmt::format("has loads of {} layers, the model has {} MoE layers",
                             record.moe_layers, shape.moe_layers));
  }
  if (!tokens.empty() && tokens.layer.back() >= shape.moe_layers) {
    findings.add(0, 0, "",
                 fmt::format("has tokens of MoE layer {}, the model has {} of them",
                             tokens.layer.back(), shape.moe_layers));
  }
  if (record.load.empty() && tokens.rows() != shape.moe_layers) {
    findings.add(0, 0, "",
                 fmt::format("has tokens of {} of {} MoE layers and no loads", tokens.rows(),
                             shape.moe_layers),
                 "add a file of loads");
  }
  findings.throw_if_any();
  placement::Workload workload;
  workload.name = std::move(record.name);
  workload.load = std::move(record.load);
  workload.tokens = std::move(record.tokens);
  if (workload.load.empty()) {
    workload.load.assign(static_cast<std::size_t>(shape.moe_layers * shape.experts), 0.0);
    for (std::int64_t layer = 0; layer < shape.moe_layers; ++layer) {
      for (const std::uint16_t e : workload.tokens.experts_of(layer)) {
        workload.load[static_cast<std::size_t>(layer * shape.experts + e)] += 1.0;
      }
    }
  }
  return workload;
}

}  // namespace moesim::interchange
