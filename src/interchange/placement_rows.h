// Rows of a placement file on their way into a placement, with where each id stands.
//
// Layer: interchange (internal).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "interchange/findings.h"
#include "interchange/json_text.h"
#include "interchange/model_layers.h"
#include "placement/placement.h"

namespace moesim::interchange {

/// One layer as a file has it: an id per slot, by rank.
struct SlotRow {
  std::vector<std::int64_t> expert;
  std::int64_t layer = 0;  ///< Number that messages name: of the model where the file says it.
  std::string field;       ///< "physical_to_logical_map[3]"
  /// Where the row and a slot's id stand; asked for only when something is wrong.
  std::function<TextPlace()> place{};
  std::function<TextPlace(std::size_t slot)> place_of_slot{};
};

/// What the file must fit.
struct ExpectedPlacement {
  const placement::PlacementShape& shape;
  const ModelLayers& layers;
};

/// Which rows of a file with `rows` layers are MoE layers; nothing, and a finding, if the number
/// fits neither all layers of the model nor its MoE layers.
[[nodiscard]] std::optional<std::vector<std::size_t>> moe_rows(std::size_t rows,
                                                               const ExpectedPlacement& expected,
                                                               const std::string& field,
                                                               const TextPlace& place,
                                                               Findings& findings);

/// Row of a MoE layer: width, ids, every expert there, none twice on a rank.
void check_slots(const SlotRow& row, const ExpectedPlacement& expected, Findings& findings);
/// Row of a dense layer: width and ids alone, as the engine makes one table of all layers.
void check_unused(const SlotRow& row, const ExpectedPlacement& expected, Findings& findings);

/// The rows, MoE layer by MoE layer, as a placement. Precondition: checked.
[[nodiscard]] placement::Placement to_placement(const std::vector<SlotRow>& rows,
                                                const ExpectedPlacement& expected);

[[nodiscard]] std::vector<SlotRow> parse_json_placement(const JsonText& json,
                                                        const ExpectedPlacement& expected,
                                                        Findings& findings);
[[nodiscard]] std::vector<SlotRow> parse_yaml_placement(std::string_view text,
                                                        const ExpectedPlacement& expected,
                                                        Findings& findings);

}  // namespace moesim::interchange
