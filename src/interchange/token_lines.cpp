#include "interchange/token_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "interchange/lines.h"

namespace moesim::interchange {

TraceBuilder::TraceBuilder(const RoutingHints& hints, Findings& findings)
    : hints_(hints),
      findings_(findings),
      experts_(hints.experts),
      top_k_(hints.top_k),
      layers_(hints.trace_layers),
      last_seen_(static_cast<std::size_t>(routing::kMaxExperts), 0) {}

std::int64_t TraceBuilder::most_experts() const {
  return experts_ > 0 ? std::min(experts_, routing::kMaxExperts) : routing::kMaxExperts;
}

void TraceBuilder::set_experts(std::size_t line, std::int64_t experts) {
  if (experts < 1 || experts > routing::kMaxExperts) {
    findings_.add(line, 1, "experts",
                  fmt::format("must be 1..{}, got {}", routing::kMaxExperts, experts));
  } else if (experts_ > 0 && experts != experts_) {
    findings_.add(line, 1, "experts", fmt::format("is {}, the model has {}", experts, experts_));
  } else {
    experts_ = experts;
  }
}

void TraceBuilder::set_layers(std::size_t line, std::vector<std::int32_t> layers) {
  if (!hints_.trace_layers.empty() && layers != hints_.trace_layers) {
    findings_.add(line, 1, "layers", "are not the layers that were traced in this folder");
  }
  layers_ = std::move(layers);
}

/// Which MoE layers the groups of a token are; asked when the first token is there.
void TraceBuilder::settle_layers(std::size_t line, std::size_t groups) {
  const auto count = static_cast<std::int64_t>(groups);
  const std::int64_t most = hints_.moe_layers > 0 ? hints_.moe_layers : placement::kMaxMoeLayers;
  if (layers_.empty()) {
    if (hints_.moe_layers > 0 && count != hints_.moe_layers) {
      findings_.add(line, 1, "",
                    fmt::format("names experts of {} layers, the model has {} MoE layers", count,
                                hints_.moe_layers),
                    "say which layers were traced");
    }
    layers_.resize(std::min(groups, static_cast<std::size_t>(most)));
    std::iota(layers_.begin(), layers_.end(), 0);
  }
  if (std::ssize(layers_) != count) {
    findings_.add(line, 1, "",
                  fmt::format("names experts of {} layers, expected {}", count, layers_.size()));
  }
  std::int64_t last = -1;
  for (const std::int32_t layer : layers_) {
    if (layer <= last || layer >= most) {
      findings_.add(line, 1, "layers",
                    fmt::format("must ascend from 0 to at most {}, got {}", most - 1, layer));
      break;
    }
    last = layer;
  }
  groups_ = groups;
}

void TraceBuilder::check_token(std::size_t line, std::size_t groups,
                               std::span<const std::uint32_t> ids, const Column& column) {
  const std::size_t top_k = ids.size() / groups;
  for (std::size_t i = 0; i < ids.size() && !findings_.full(); ++i) {
    const std::uint32_t expert = ids[i];
    const std::size_t group = i / top_k;
    if (i % top_k == 0) ++groups_seen_;
    const auto field = [&] {
      return fmt::format("layer {}", group < layers_.size() ? layers_[group] : 0);
    };
    if (expert >= static_cast<std::uint64_t>(most_experts())) {
      findings_.add(
          line, column(i), field(),
          fmt::format("expert {} of {} does not exist; they count from 0", expert, most_experts()));
      continue;
    }
    if (last_seen_[expert] == groups_seen_) {
      findings_.add(line, column(i), field(),
                    fmt::format("expert {} stands twice in a token", expert));
    }
    last_seen_[expert] = groups_seen_;
    highest_ = std::max<std::int64_t>(highest_, expert);
  }
}

void TraceBuilder::add(std::size_t line, std::uint64_t request, std::size_t groups,
                       std::span<const std::uint32_t> ids, const Column& column) {
  if (groups == 0 || ids.empty()) {
    findings_.add(line, 1, "", "names no experts");
    return;
  }
  const auto top_k = static_cast<std::int64_t>(ids.size() / groups);
  if (request_.empty()) {
    if (groups_ == 0) settle_layers(line, groups);
    if (top_k_ == 0) top_k_ = top_k;
  }
  if (groups != groups_) {
    findings_.add(
        line, 1, "",
        fmt::format("names experts of {} layers, the tokens before of {}", groups, groups_));
    return;
  }
  if (top_k != top_k_ || top_k > routing::kMaxTopK) {
    findings_.add(line, column(0), "",
                  top_k > routing::kMaxTopK
                      ? fmt::format("has {} experts in a layer, at most {} can be had", top_k,
                                    routing::kMaxTopK)
                      : fmt::format("has {} experts in a layer, expected {}", top_k, top_k_));
    return;
  }
  check_token(line, groups, ids, column);
  if (findings_.any()) return;
  request_.push_back(request);
  for (const std::uint32_t id : ids) expert_.push_back(static_cast<std::uint16_t>(id));
}

/// Tokens with those of a request side by side, requests in the order of their first tokens.
std::vector<std::size_t> TraceBuilder::order() const {
  std::unordered_map<std::uint64_t, std::size_t> first;  // Looked up only, never walked.
  std::vector<std::size_t> rank(request_.size());
  for (std::size_t t = 0; t < request_.size(); ++t) {
    rank[t] = first.try_emplace(request_[t], first.size()).first->second;
  }
  std::vector<std::size_t> order(request_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return rank[a] < rank[b]; });
  return order;
}

RoutingRecord TraceBuilder::take() {
  findings_.throw_if_any();
  if (request_.empty()) findings_.add(0, 0, "", "has no tokens");
  findings_.throw_if_any();
  const std::vector<std::size_t> order = this->order();
  RoutingRecord record;
  record.name = findings_.file();
  record.experts = experts_ > 0 ? experts_ : std::max(highest_ + 1, top_k_);
  record.top_k = top_k_;
  record.moe_layers = hints_.moe_layers > 0 ? hints_.moe_layers : layers_.back() + 1;
  routing::TokenTrace& trace = record.tokens;
  trace.experts = record.experts;
  trace.top_k = top_k_;
  trace.layer = layers_;
  trace.request.reserve(order.size());
  for (const std::size_t t : order) trace.request.push_back(request_[t]);
  const auto k = static_cast<std::size_t>(top_k_);
  trace.expert.reserve(expert_.size());
  for (std::size_t row = 0; row < groups_; ++row) {
    for (const std::size_t t : order) {
      const auto from = expert_.begin() + static_cast<std::ptrdiff_t>((t * groups_ + row) * k);
      trace.expert.insert(trace.expert.end(), from, from + static_cast<std::ptrdiff_t>(k));
    }
  }
  return record;
}

namespace {

/// Ids of one token and where they stand.
struct Ids {
  std::vector<std::uint32_t> expert;
  std::vector<std::size_t> column;
  void add(std::uint32_t id, std::size_t at) {
    expert.push_back(id);
    column.push_back(at);
  }
};

std::optional<std::uint64_t> read_request(std::string_view cell, std::string_view line,
                                          std::size_t number, Findings& findings,
                                          const char* field) {
  const auto request = parse_number<std::uint64_t>(trimmed(cell));
  if (!request) {
    findings.add(number, column_of(cell, line), field,
                 "expected a whole number, got " + in_quotes(cell));
  }
  return request;
}

/// Two hex digits per id; false if the group is none.
bool read_hex_group(std::string_view group, std::string_view line, std::size_t number, Ids& ids,
                    Findings& findings) {
  bool sound = group.size() % 2 == 0;
  for (std::size_t i = 0; sound && i + 1 < group.size(); i += 2) {
    const auto id = parse_number<std::uint32_t>(group.substr(i, 2), 16);
    sound = id.has_value();
    if (sound) ids.add(*id, column_of(group, line) + i);
  }
  if (!sound) {
    findings.add(number, column_of(group, line), "",
                 "expected two hex digits for each expert, got " + in_quotes(group));
  }
  return sound;
}

bool read_id_list(std::string_view group, std::string_view line, std::size_t number, Ids& ids,
                  Findings& findings) {
  while (!group.empty()) {
    const std::string_view cell = next_piece(group, ',');
    const auto id = parse_number<std::uint32_t>(cell);
    if (!id) {
      findings.add(number, column_of(cell, line), "",
                   "expected the number of an expert, got " + in_quotes(cell));
      return false;
    }
    ids.add(*id, column_of(cell, line));
  }
  return true;
}

/// Blank-separated groups behind the tabs: one per layer, all of one width.
template <class ReadGroup>
void read_groups(std::string_view rest, std::string_view line, std::size_t number,
                 std::uint64_t request, TraceBuilder& builder, Findings& findings,
                 ReadGroup&& read_group) {
  Ids ids;
  std::size_t groups = 0;
  std::size_t width = 0;
  rest = trimmed(rest);
  while (!rest.empty()) {
    const std::string_view group = next_piece(rest, ' ');
    const std::size_t before = ids.expert.size();
    if (!read_group(group, line, number, ids, findings)) return;
    const std::size_t got = ids.expert.size() - before;
    if (groups == 0) width = got;
    if (got != width || got == 0) {
      findings.add(number, column_of(group, line), "",
                   fmt::format("group {} has {} experts, the first has {}", groups, got, width));
      return;
    }
    ++groups;
  }
  builder.add(number, request, groups, ids.expert, [&](std::size_t i) { return ids.column[i]; });
}

}  // namespace

RoutingRecord parse_hex_trace(std::string_view text, const RoutingHints& hints,
                              Findings& findings) {
  TraceBuilder builder(hints, findings);
  each_line(text, findings, [&](std::string_view line, std::size_t number) {
    std::string_view rest = line;
    const auto request = read_request(next_piece(rest, '\t'), line, number, findings, "request");
    if (request) {
      read_groups(rest, line, number, *request, builder, findings, read_hex_group);
    }
  });
  return builder.take();
}

RoutingRecord parse_tab_trace(std::string_view text, const RoutingHints& hints,
                              Findings& findings) {
  TraceBuilder builder(hints, findings);
  each_line(text, findings, [&](std::string_view line, std::size_t number) {
    std::string_view rest = line;
    const auto sequence = read_request(next_piece(rest, '\t'), line, number, findings, "sequence");
    const auto position = read_request(next_piece(rest, '\t'), line, number, findings, "position");
    if (sequence && position) {
      read_groups(rest, line, number, *sequence, builder, findings, read_id_list);
    }
  });
  return builder.take();
}

}  // namespace moesim::interchange
