// Token traces as JSON lines.
#include <fmt/format.h>

#include <optional>
#include <utility>

#include "interchange/json_text.h"
#include "interchange/lines.h"
#include "interchange/token_lines.h"

namespace moesim::interchange {
namespace {

using simdjson::dom::element;

class JsonTokens {
 public:
  JsonTokens(const RoutingHints& hints, Findings& findings)
      : findings_(findings), builder_(hints, findings) {}

  void read(std::string_view line, std::size_t number) {
    line_ = line;
    number_ = number;
    element root;
    if (parser_.parse(line.data(), line.size()).get(root) != simdjson::SUCCESS) {
      const std::size_t at = mistake_in_json(line).value_or(0);
      findings_.add(number, at + 1, "", "is not JSON from here: " + in_quotes(line.substr(at)));
      return;
    }
    simdjson::dom::object object;
    if (root.get(object) != simdjson::SUCCESS) {
      findings_.add(number, 1, "", "expected a JSON object, got " + shown(root));
      return;
    }
    bool header = true;
    for (const auto field : object) header = header && field.key != "request";
    header ? read_header(object) : read_token(object);
  }

  RoutingRecord take() { return builder_.take(); }

 private:
  void bad(const JsonPath& path, std::string message) {
    findings_.add(number_, place_in_json(line_, path).column, field_of(path), std::move(message));
  }

  void read_header(const simdjson::dom::object& object) {
    if (any_) {
      findings_.add(number_, 1, "request", "is missing");
      return;
    }
    any_ = true;
    for (const auto field : object) {
      std::int64_t experts = 0;
      if (field.key == "layers") {
        read_layers(field.value);
      } else if (field.key != "experts") {
        bad({field.key}, "is not known");
      } else if (field.value.get(experts) != simdjson::SUCCESS) {
        bad({field.key}, "expected the number of experts, got " + shown(field.value));
      } else {
        builder_.set_experts(number_, experts);
      }
    }
  }

  void read_layers(element value) {
    simdjson::dom::array list;
    if (value.get(list) != simdjson::SUCCESS) {
      bad({"layers"}, "expected a list of MoE layers, got " + shown(value));
      return;
    }
    std::vector<std::int32_t> layers;
    for (const element entry : list) {
      std::int64_t layer = 0;
      if (entry.get(layer) != simdjson::SUCCESS || layer < 0 || layer >= placement::kMaxMoeLayers) {
        bad({"layers", layers.size()},
            fmt::format("must be 0..{}, got {}", placement::kMaxMoeLayers - 1, shown(entry)));
        return;
      }
      layers.push_back(static_cast<std::int32_t>(layer));
    }
    builder_.set_layers(number_, std::move(layers));
  }

  void read_token(const simdjson::dom::object& object) {
    any_ = true;
    std::optional<std::uint64_t> request;
    std::optional<element> experts;
    for (const auto field : object) {
      std::uint64_t number = 0;
      if (field.key == "experts" && !experts) {
        experts = field.value;
      } else if (field.key != "request" || request) {
        bad({field.key},
            field.key == "request" || field.key == "experts" ? "stands twice" : "is not known");
        return;
      } else if (field.value.get(number) != simdjson::SUCCESS) {
        bad({field.key}, "expected a whole number, got " + shown(field.value));
        return;
      } else {
        request = number;
      }
    }
    if (!experts) {
      findings_.add(number_, 1, "experts", "is missing");
    } else {
      read_experts(*request, *experts);
    }
  }

  void read_experts(std::uint64_t request, element value) {
    simdjson::dom::array layers;
    if (value.get(layers) != simdjson::SUCCESS) {
      bad({"experts"}, "expected a list of ids for each layer, got " + shown(value));
      return;
    }
    ids_.clear();
    std::size_t groups = 0;
    std::size_t width = 0;
    for (const element layer : layers) {
      const std::size_t before = ids_.size();
      if (!read_layer(layer, groups)) return;
      const std::size_t got = ids_.size() - before;
      if (groups == 0) width = got;
      if (got != width || got == 0) {
        bad({"experts", groups}, fmt::format("has {} experts, the first layer {}", got, width));
        return;
      }
      ++groups;
    }
    builder_.add(number_, request, groups, ids_, [&](std::size_t i) {
      return place_in_json(line_, {"experts", i / width, i % width}).column;
    });
  }

  bool read_layer(element layer, std::size_t group) {
    simdjson::dom::array ids;
    if (layer.get(ids) != simdjson::SUCCESS) {
      bad({"experts", group}, "expected a list of ids, got " + shown(layer));
      return false;
    }
    std::size_t index = 0;
    for (const element entry : ids) {
      std::uint64_t id = 0;
      if (entry.get(id) != simdjson::SUCCESS || id > 0xffffffffU) {
        bad({"experts", group, index}, "expected the number of an expert, got " + shown(entry));
        return false;
      }
      ids_.push_back(static_cast<std::uint32_t>(id));
      ++index;
    }
    return true;
  }

  Findings& findings_;
  TraceBuilder builder_;
  simdjson::dom::parser parser_;
  std::string_view line_;
  std::size_t number_ = 0;
  bool any_ = false;
  std::vector<std::uint32_t> ids_;
};

}  // namespace

RoutingRecord parse_json_trace(std::string_view text, const RoutingHints& hints,
                               Findings& findings) {
  JsonTokens tokens(hints, findings);
  each_line(text, findings,
            [&](std::string_view line, std::size_t number) { tokens.read(line, number); });
  return tokens.take();
}

}  // namespace moesim::interchange
