// Placements in JSON: SGLang's map, bare lists (vLLM), devices of layers (vLLM-Ascend).
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "interchange/placement_rows.h"

namespace moesim::interchange {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

constexpr const char* kMap = "physical_to_logical_map";

class JsonPlacement {
 public:
  JsonPlacement(const JsonText& json, const ExpectedPlacement& expected, Findings& findings)
      : json_(json), expected_(expected), findings_(findings) {}

  std::vector<SlotRow> read() {
    object root;
    if (json_.root().get(root) != simdjson::SUCCESS) {
      read_map(json_.root(), {});
      return std::move(rows_);
    }
    element value;
    if (root[kMap].get(value) == simdjson::SUCCESS) {
      refuse_other_keys(root, {}, {kMap}, "SGLang takes every key for an argument: leave it out");
      read_map(value, {kMap});
    } else if (root["layer_list"].get(value) == simdjson::SUCCESS) {
      read_devices(root, value);
    } else if (root["logical_count"].error() == simdjson::SUCCESS) {
      bad({"logical_count"}, "are expert loads, not a placement", "plan one from them");
    } else {
      bad({}, "has neither physical_to_logical_map nor layer_list",
          "give the file of an engine (--export writes it); the layouts are in "
          "docs/formats/engine_files.md");
    }
    return std::move(rows_);
  }

 private:
  void bad(const JsonPath& path, std::string message, std::string hint = "") {
    const TextPlace at = json_.place(path);
    findings_.add(at.line, at.column, field_of(path), std::move(message), std::move(hint));
  }

  static JsonPath below(JsonPath path, std::variant<std::string_view, std::size_t> step) {
    path.push_back(step);
    return path;
  }

  void refuse_other_keys(const object& fields, const JsonPath& path,
                         const std::vector<std::string_view>& known, const std::string& hint) {
    std::set<std::string_view> seen;
    for (const auto field : fields) {
      if (std::find(known.begin(), known.end(), field.key) == known.end()) {
        bad(below(path, field.key), "is not a key of this file", hint);
      } else if (!seen.insert(field.key).second) {
        bad(below(path, field.key), "stands twice");
      }
      if (findings_.full()) return;
    }
  }

  std::optional<std::int64_t> number(const object& fields, const JsonPath& path,
                                     std::string_view key) {
    element value;
    std::int64_t n = 0;
    if (fields[key].get(value) != simdjson::SUCCESS) {
      bad(path, fmt::format("has no {}", key));
    } else if (value.get(n) != simdjson::SUCCESS) {
      bad(below(path, key), "expected a whole number, got " + shown(value));
    } else {
      return n;
    }
    return std::nullopt;
  }

  /// Ids behind those that are there already; false if it is no list of numbers.
  bool read_ids(element value, const JsonPath& path, std::vector<std::int64_t>& ids) {
    array list;
    if (value.get(list) != simdjson::SUCCESS) {
      bad(path, "expected a list of expert ids, got " + shown(value));
      return false;
    }
    std::size_t index = 0;
    for (const element entry : list) {
      std::int64_t id = 0;
      if (entry.get(id) != simdjson::SUCCESS) {
        bad(below(path, index), "expected the number of an expert, got " + shown(entry));
        return false;
      }
      ids.push_back(id);
      ++index;
    }
    return true;
  }

  /// [layers][slots], or [slots] for all layers alike.
  void read_map(element value, const JsonPath& path) {
    array list;
    if (value.get(list) != simdjson::SUCCESS || list.size() == 0) {
      bad(path, "expected a list of layers, got " + shown(value));
      return;
    }
    if (!list.at(0).is_array() && path.empty()) {
      read_common_row(value);
      return;
    }
    const auto kept =
        moe_rows(list.size(), expected_, field_of(path), json_.place(path), findings_);
    if (!kept) return;
    const bool all_layers = kept->size() != list.size();
    std::size_t index = 0;
    std::size_t moe = 0;
    for (const element entry : list) {
      const JsonPath here = below(path, index);
      SlotRow row = row_at(here);
      const bool routed = moe < kept->size() && (*kept)[moe] == index;
      row.layer =
          all_layers ? static_cast<std::int64_t>(index) : expected_.layers.moe_layer_ids[moe];
      if (read_ids(entry, here, row.expert)) {
        routed ? check_slots(row, expected_, findings_) : check_unused(row, expected_, findings_);
      }
      if (findings_.full()) return;
      if (routed) {
        rows_.push_back(std::move(row));
        ++moe;
      }
      ++index;
    }
  }

  void read_common_row(element value) {
    SlotRow row = row_at({});
    row.layer = expected_.layers.moe_layer_ids.front();
    if (!read_ids(value, {}, row.expert)) return;
    check_slots(row, expected_, findings_);
    rows_.assign(static_cast<std::size_t>(expected_.shape.moe_layers), row);
  }

  SlotRow row_at(const JsonPath& path) {
    SlotRow row;
    row.field = field_of(path);
    row.place_of_slot = [this, path](std::size_t slot) { return json_.place(below(path, slot)); };
    row.place = [this, path] { return json_.place(path); };
    return row;
  }

  void read_devices(const object& root, element value) {
    refuse_other_keys(root, {}, {"moe_layer_count", "layer_list"}, "");
    const auto count = number(root, {}, "moe_layer_count");
    array layers;
    if (value.get(layers) != simdjson::SUCCESS) {
      bad({"layer_list"}, "expected a list of layers, got " + shown(value));
      return;
    }
    if (count && *count != static_cast<std::int64_t>(layers.size())) {
      bad({"moe_layer_count"},
          fmt::format("is {}, but layer_list has {} layers", *count, layers.size()));
    }
    if (static_cast<std::int64_t>(layers.size()) != expected_.shape.moe_layers) {
      bad({"layer_list"}, fmt::format("has {} layers, expected {} (MoE layers)", layers.size(),
                                      expected_.shape.moe_layers));
      return;
    }
    std::size_t index = 0;
    for (const element layer : layers) {
      read_layer(layer, index);
      if (findings_.full()) return;
      ++index;
    }
  }

  void read_layer(element value, std::size_t index) {
    const JsonPath path = {"layer_list", index};
    object layer;
    if (value.get(layer) != simdjson::SUCCESS) {
      bad(path, "expected a layer, got " + shown(value));
      return;
    }
    refuse_other_keys(layer, path, {"layer_id", "device_count", "device_list"}, "");
    const auto id = number(layer, path, "layer_id");
    const std::int64_t absolute = expected_.layers.moe_layer_ids[index];
    if (index == 0 && id) absolute_ids_ = *id == absolute;
    const std::int64_t wanted = absolute_ids_ ? absolute : static_cast<std::int64_t>(index);
    if (id && *id != wanted) {
      bad(below(path, "layer_id"), fmt::format("expected {}, got {}", wanted, *id));
    }
    const auto devices = number(layer, path, "device_count");
    if (devices && *devices != expected_.shape.ranks) {
      bad(below(path, "device_count"),
          fmt::format("expected {} ranks, got {}", expected_.shape.ranks, *devices));
    }
    array list;
    if (layer["device_list"].get(list) != simdjson::SUCCESS ||
        static_cast<std::int64_t>(list.size()) != expected_.shape.ranks) {
      bad(below(path, "device_list"),
          fmt::format("layer {}: expected a list of {} ranks", absolute, expected_.shape.ranks));
      return;
    }
    SlotRow row;
    row.layer = absolute;
    row.field = field_of(path);
    row.place = [this, path] { return json_.place(path); };
    const auto per_rank = static_cast<std::size_t>(expected_.shape.slots_per_rank);
    row.place_of_slot = [this, path, per_rank](std::size_t slot) {
      JsonPath here = below(below(path, "device_list"), slot / per_rank);
      return json_.place(below(below(std::move(here), "device_expert"), slot % per_rank));
    };
    std::size_t rank = 0;
    bool sound = true;
    for (const element device : list) {
      sound = read_device(device, below(below(path, "device_list"), rank), rank, row) && sound;
      if (findings_.full()) return;
      ++rank;
    }
    if (!sound) return;
    check_slots(row, expected_, findings_);
    rows_.push_back(std::move(row));
  }

  bool read_device(element value, const JsonPath& path, std::size_t rank, SlotRow& row) {
    object device;
    if (value.get(device) != simdjson::SUCCESS) {
      bad(path, "expected a device, got " + shown(value));
      return false;
    }
    refuse_other_keys(device, path, {"device_id", "device_expert"}, "");
    const auto id = number(device, path, "device_id");
    if (id && *id != static_cast<std::int64_t>(rank)) {
      bad(below(path, "device_id"), fmt::format("expected {}, got {}", rank, *id));
    }
    element experts;
    if (device["device_expert"].get(experts) != simdjson::SUCCESS) {
      bad(path, "has no device_expert");
      return false;
    }
    const std::size_t before = row.expert.size();
    if (!read_ids(experts, below(path, "device_expert"), row.expert)) return false;
    const auto got = static_cast<std::int64_t>(row.expert.size() - before);
    if (got != expected_.shape.slots_per_rank) {
      bad(below(path, "device_expert"),
          fmt::format("layer {}, rank {} has {} slots, expected {}", row.layer, rank, got,
                      expected_.shape.slots_per_rank));
      return false;
    }
    return true;
  }

  const JsonText& json_;
  const ExpectedPlacement& expected_;
  Findings& findings_;
  std::vector<SlotRow> rows_;
  bool absolute_ids_ = false;
};

}  // namespace

std::vector<SlotRow> parse_json_placement(const JsonText& json, const ExpectedPlacement& expected,
                                          Findings& findings) {
  return JsonPlacement(json, expected, findings).read();
}

}  // namespace moesim::interchange
