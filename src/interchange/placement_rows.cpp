#include "interchange/placement_rows.h"

#include <fmt/format.h>

#include <utility>

#include "interchange/placement_file.h"
#include "interchange/text_source.h"
#include "placement/problem.h"

namespace moesim::interchange {
namespace {

std::string slot_name(const SlotRow& row, std::size_t slot,
                      const placement::PlacementShape& shape) {
  return fmt::format("layer {}, slot {} (rank {})", row.layer, slot,
                     static_cast<std::int64_t>(slot) / shape.slots_per_rank);
}

void add(const SlotRow& row, std::optional<std::size_t> slot, std::string message,
         Findings& findings) {
  const TextPlace at = slot ? row.place_of_slot(*slot) : row.place();
  findings.add(at.line, at.column, row.field, std::move(message));
}

bool check_width(const SlotRow& row, const placement::PlacementShape& shape, Findings& findings) {
  if (std::ssize(row.expert) == shape.slots()) return true;
  add(row, std::nullopt,
      fmt::format("layer {} has {} slots, expected {} ({} ranks of {})", row.layer,
                  row.expert.size(), shape.slots(), shape.ranks, shape.slots_per_rank),
      findings);
  return false;
}

bool check_id(const SlotRow& row, std::size_t slot, const placement::PlacementShape& shape,
              Findings& findings) {
  const std::int64_t expert = row.expert[slot];
  if (expert >= 0 && expert < shape.experts) return true;
  add(row, slot,
      fmt::format("{}: expert {} of {} does not exist; they count from 0",
                  slot_name(row, slot, shape), expert, shape.experts),
      findings);
  return false;
}

}  // namespace

std::optional<std::vector<std::size_t>> moe_rows(std::size_t rows,
                                                 const ExpectedPlacement& expected,
                                                 const std::string& field, const TextPlace& place,
                                                 Findings& findings) {
  const std::int64_t moe = expected.shape.moe_layers;
  const std::int64_t all = expected.layers.hidden_layers;
  std::vector<std::size_t> kept;
  if (static_cast<std::int64_t>(rows) == moe) {
    for (std::size_t i = 0; i < rows; ++i) kept.push_back(i);
    return kept;
  }
  if (static_cast<std::int64_t>(rows) == all) {
    for (const std::int32_t id : expected.layers.moe_layer_ids) {
      kept.push_back(static_cast<std::size_t>(id));
    }
    return kept;
  }
  const std::string all_text = all > moe ? fmt::format(" or {} (all layers)", all) : "";
  findings.add(place.line, place.column, field,
               fmt::format("has {} layers, expected {} (MoE layers){}", rows, moe, all_text),
               static_cast<std::int64_t>(rows) < moe
                   ? "a placement of some layers only cannot be loaded by an engine"
                   : "");
  return std::nullopt;
}

void check_slots(const SlotRow& row, const ExpectedPlacement& expected, Findings& findings) {
  const placement::PlacementShape& shape = expected.shape;
  if (!check_width(row, shape, findings)) return;
  std::vector<std::int64_t> last_slot(static_cast<std::size_t>(shape.experts), -1);
  for (std::size_t slot = 0; slot < row.expert.size() && !findings.full(); ++slot) {
    if (!check_id(row, slot, shape, findings)) continue;
    std::int64_t& last = last_slot[static_cast<std::size_t>(row.expert[slot])];
    const auto here = static_cast<std::int64_t>(slot);
    if (last >= 0 && last / shape.slots_per_rank == here / shape.slots_per_rank) {
      add(row, slot,
          fmt::format("{}: expert {} is on this rank already, in slot {}",
                      slot_name(row, slot, shape), row.expert[slot], last),
          findings);
    }
    last = here;
  }
  for (std::size_t expert = 0; expert < last_slot.size() && !findings.full(); ++expert) {
    if (last_slot[expert] >= 0) continue;
    add(row, std::nullopt,
        fmt::format("layer {}: expert {} is missing from its {} slots", row.layer, expert,
                    row.expert.size()),
        findings);
  }
}

void check_unused(const SlotRow& row, const ExpectedPlacement& expected, Findings& findings) {
  if (!check_width(row, expected.shape, findings)) return;
  for (std::size_t slot = 0; slot < row.expert.size() && !findings.full(); ++slot) {
    static_cast<void>(check_id(row, slot, expected.shape, findings));
  }
}

placement::Placement to_placement(const std::vector<SlotRow>& rows,
                                  const ExpectedPlacement& expected) {
  placement::Placement placement{.shape = expected.shape, .expert_of_slot = {}, .strategy = "file"};
  placement.expert_of_slot.reserve(rows.size() * static_cast<std::size_t>(expected.shape.slots()));
  for (const SlotRow& row : rows) {
    for (const std::int64_t expert : row.expert) {
      placement.expert_of_slot.push_back(static_cast<std::int32_t>(expert));
    }
  }
  return placement;
}

placement::Placement parse_placement(std::string_view bytes, const std::string& name,
                                     const placement::PlacementShape& shape,
                                     const ModelLayers& layers) {
  Findings findings(name);
  for (const std::string& error : placement::verify(shape)) findings.add(0, 0, "", error);
  if (layers.moe_layers() != shape.moe_layers) {
    findings.add(0, 0, "",
                 fmt::format("the model has {} MoE layers, the placement {}", layers.moe_layers(),
                             shape.moe_layers));
  }
  findings.throw_if_any();
  std::string text = unpacked(std::string(bytes), name, kMaxJsonBytes);
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string::npos) refuse(name, 0, 0, "is empty");
  if (text.starts_with("PK\x03\x04")) {
    refuse(name, 0, 0, "holds Python objects, which are not read",
           "save it as JSON: json.dump({\"physical_to_logical_map\": m.tolist()}, file)");
  }
  const ExpectedPlacement expected{shape, layers};
  if (text[start] == '{' || text[start] == '[') {
    const JsonText json(text, name);
    const std::vector<SlotRow> rows = parse_json_placement(json, expected, findings);
    findings.throw_if_any();
    return to_placement(rows, expected);
  }
  if (text.size() > kMaxYamlBytes) {
    refuse(name, 0, 0, fmt::format("is larger than {} MiB", kMaxYamlBytes >> 20U));
  }
  const std::vector<SlotRow> rows = parse_yaml_placement(text, expected, findings);
  findings.throw_if_any();
  return to_placement(rows, expected);
}

placement::Placement read_placement(const std::string& path, const placement::PlacementShape& shape,
                                    const ModelLayers& layers) {
  return parse_placement(read_bytes(path, kMaxJsonBytes), path, shape, layers);
}

}  // namespace moesim::interchange
