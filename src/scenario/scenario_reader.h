// Reads a scenario: text format or JSON in, checked domain objects out.
//
// Steps:  bytes -> protobuf message with the place of every field -> overrides -> defaults ->
//         checks of ranges, names and references -> Scenario. All mistakes of a file are gathered
//         and thrown as one InputError in file order.
// Limits: a file of 16 MiB, 32 levels of messages, 100 mistakes, 16,384 GPUs; docs/formats/
//         scenario.md names each field's own.
// Layer:  scenario.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog.h"
#include "scenario/scenario.h"

namespace moesim::scenario {

enum class Syntax { Text, Json };

/// ".json" (any case) is JSON, everything else text format.
[[nodiscard]] Syntax syntax_of(const std::string& path);

/// Where a text comes from and what it may reach.
struct TextOrigin {
  std::string file_name = "scenario";  ///< For messages, and for the name of the scenario.
  std::string folder;                  ///< Relative paths in the text start here; "" = here.
  Syntax syntax = Syntax::Text;
  /// False: traces, recorded loads, model configs and presets are not opened (fuzzing); a scenario
  /// that needs one is refused.
  bool may_open_files = true;
};

/// The origin of a file: its folder, and its syntax by extension.
[[nodiscard]] TextOrigin origin_of(const std::string& path);

/// `catalog` holds at least CatalogParts::Run | CatalogParts::Prices.
/// `overrides`: "a.b.c=value" or "a.b[2].c=value", applied in order after the file was parsed.
/// Throws InputError with every mistake of file and overrides, IoError if the file cannot be read.
[[nodiscard]] Scenario read_scenario_file(const std::string& path,
                                          const std::vector<std::string>& overrides,
                                          const catalog::Catalog& catalog);

/// The same from memory. O(bytes).
[[nodiscard]] Scenario read_scenario_text(std::string_view text, const TextOrigin& origin,
                                          const std::vector<std::string>& overrides,
                                          const catalog::Catalog& catalog);

}  // namespace moesim::scenario
