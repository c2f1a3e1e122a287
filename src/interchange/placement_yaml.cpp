// Placements in YAML: the load balancer file of TensorRT-LLM.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <utility>

#include "interchange/lines.h"
#include "interchange/placement_rows.h"

namespace moesim::interchange {
namespace {

TextPlace place_of(const YAML::Node& node) {
  const YAML::Mark mark = node.Mark();
  if (mark.is_null()) return {};
  return {static_cast<std::size_t>(mark.line) + 1, static_cast<std::size_t>(mark.column) + 1};
}

std::string shown(const YAML::Node& node) {
  if (node.IsSequence()) return "a list";
  if (node.IsMap()) return "a map";
  return node.IsScalar() ? in_quotes(node.Scalar()) : "nothing";
}

std::optional<std::int64_t> number_of(const YAML::Node& node) {
  if (!node.IsScalar()) return std::nullopt;
  return parse_number<std::int64_t>(node.Scalar());
}

/// Takes no note of anything: to pass over a document.
class Passer final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

class YamlPlacement {
 public:
  YamlPlacement(const ExpectedPlacement& expected, Findings& findings)
      : expected_(expected), findings_(findings) {}

  std::vector<SlotRow> read(std::string_view text) {
    const YAML::Node root = load(text);
    if (!root.IsMap()) {
      bad(root, "", "expected num_slots, initial_global_assignments and layer_updates_per_iter");
      return {};
    }
    read_keys(root);
    check_numbers();
    if (const auto found = keys_.find("initial_global_assignments"); found != keys_.end()) {
      read_assignments(found->second);
    } else {
      findings_.add(0, 0, "initial_global_assignments", "is missing");
    }
    return std::move(rows_);
  }

 private:
  void bad(const YAML::Node& node, std::string field, std::string message, std::string hint = "") {
    const TextPlace at = place_of(node);
    findings_.add(at.line, at.column, std::move(field), std::move(message), std::move(hint));
  }

  /// Refuses what stands behind the first document. Asked twice and never again: yaml-cpp finds
  /// empty documents without end in front of a bracket that closes nothing.
  void refuse_more(const std::string& text) const {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    Passer passer;
    if (parser.HandleNextDocument(passer) && parser.HandleNextDocument(passer)) {
      refuse(findings_.file(), 0, 0, "has more than one YAML document");
    }
  }

  [[nodiscard]] YAML::Node load(std::string_view text) const {
    try {
      refuse_more(std::string(text));
      return YAML::Load(std::string(text));
    } catch (const YAML::Exception& error) {
      if (error.mark.is_null()) refuse(findings_.file(), 0, 0, "is not YAML: " + error.msg);
      refuse(findings_.file(), static_cast<std::size_t>(error.mark.line) + 1,
             static_cast<std::size_t>(error.mark.column) + 1, "is not YAML: " + error.msg);
    }
  }

  void read_keys(const YAML::Node& root) {
    for (const auto& entry : root) {
      const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
      const bool known = key == "num_slots" || key == "initial_global_assignments" ||
                         key == "layer_updates_per_iter";
      if (!known) {
        bad(entry.first, in_quotes(key), "is not a key of this file",
            "TensorRT-LLM refuses keys that it does not know");
      } else if (!keys_.emplace(key, entry.second).second) {
        bad(entry.first, key, "stands twice");
      }
      if (findings_.full()) return;
    }
  }

  void check_numbers() {
    const std::int64_t slots = expected_.shape.slots();
    const auto given = keys_.find("num_slots");
    if (given == keys_.end()) {
      findings_.add(0, 0, "num_slots", "is missing");
    } else if (number_of(given->second) != slots) {
      bad(given->second, "num_slots",
          fmt::format("expected {}, got {}", slots, shown(given->second)));
    }
    const auto updates = keys_.find("layer_updates_per_iter");
    if (updates == keys_.end()) return;
    if (number_of(updates->second).value_or(-1) < 0) {
      bad(updates->second, "layer_updates_per_iter",
          "expected a whole number of 0 or more, got " + shown(updates->second));
    }
  }

  void read_assignments(const YAML::Node& assignments) {
    const std::string field = "initial_global_assignments";
    if (!assignments.IsMap()) {
      bad(assignments, field, "expected a list for each MoE layer, got " + shown(assignments));
      return;
    }
    std::map<std::int64_t, YAML::Node> given;
    for (const auto& entry : assignments) {
      const std::optional<std::int64_t> layer = number_of(entry.first);
      if (!layer) {
        bad(entry.first, field, "expected the number of a layer, got " + shown(entry.first));
      } else if (!is_moe_layer(*layer)) {
        bad(entry.first, field, fmt::format("layer {} is not a MoE layer of the model", *layer),
            fmt::format("layers count from 0 over the whole model; its first MoE layer is {}",
                        expected_.layers.moe_layer_ids.front()));
      } else if (!given.emplace(*layer, entry.second).second) {
        bad(entry.first, field, fmt::format("layer {} stands twice", *layer));
      }
      if (findings_.full()) return;
    }
    for (const std::int32_t id : expected_.layers.moe_layer_ids) {
      const auto found = given.find(id);
      if (found == given.end()) {
        bad(assignments, field, fmt::format("layer {} is missing", id),
            fmt::format("all {} MoE layers must be there", expected_.shape.moe_layers));
      } else {
        read_row(id, found->second);
      }
      if (findings_.full()) return;
    }
  }

  [[nodiscard]] bool is_moe_layer(std::int64_t layer) const {
    const auto& ids = expected_.layers.moe_layer_ids;
    return std::binary_search(ids.begin(), ids.end(), layer);
  }

  void read_row(std::int32_t layer, const YAML::Node& list) {
    SlotRow row;
    row.layer = layer;
    row.field = fmt::format("initial_global_assignments[{}]", layer);
    row.place = [list] { return place_of(list); };
    row.place_of_slot = [list](std::size_t slot) { return place_of(list[slot]); };
    if (!list.IsSequence()) {
      bad(list, row.field, "expected a list of expert ids, got " + shown(list));
      return;
    }
    for (const YAML::Node& entry : list) {
      const std::optional<std::int64_t> id = number_of(entry);
      if (!id) {
        bad(entry, row.field, "expected the number of an expert, got " + shown(entry));
        return;
      }
      row.expert.push_back(*id);
    }
    check_slots(row, expected_, findings_);
    rows_.push_back(std::move(row));
  }

  const ExpectedPlacement& expected_;
  Findings& findings_;
  std::map<std::string, YAML::Node> keys_;
  std::vector<SlotRow> rows_;
};

}  // namespace

std::vector<SlotRow> parse_yaml_placement(std::string_view text, const ExpectedPlacement& expected,
                                          Findings& findings) {
  return YamlPlacement(expected, findings).read(text);
}

}  // namespace moesim::interchange
