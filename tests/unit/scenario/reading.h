// What the tests of scenario files share: the shipped catalog, a small scenario, its mistakes.
#pragma once

#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "core/diagnostics.h"
#include "scenario/catalog_reader.h"
#include "scenario/scenario_reader.h"

namespace moesim::test {

inline const catalog::Catalog& shipped_catalog() {
  static const catalog::Catalog catalog =
      scenario::read_catalog(std::string(MOESIM_SOURCE_DIR) + "/scenarios/catalog",
                             scenario::CatalogParts::Run | scenario::CatalogParts::Prices);
  return catalog;
}

/// A right scenario in five lines: fields in the order of the schema, one on each line.
inline const std::string kSmall =
    "model: \"Llama-3.1-8B\"\n"
    "cluster { gpu: \"H100-SXM\" }\n"
    "deployment { tp: 2 }\n"
    "workload { arrivals { poisson {} } rate: \"5 req/s\" input { fixed_tokens: 100 } "
    "output { fixed_tokens: 10 } }\n"
    "simulation { max_requests: 10 }\n";

inline scenario::TextOrigin origin(scenario::Syntax syntax = scenario::Syntax::Text) {
  return {.file_name = syntax == scenario::Syntax::Json ? "x.json" : "x.txtpb",
          .folder = std::string(MOESIM_SOURCE_DIR) + "/scenarios",
          .syntax = syntax,
          .may_open_files = true};
}

inline scenario::Scenario read(const std::string& text,
                               const std::vector<std::string>& overrides = {}) {
  return scenario::read_scenario_text(text, origin(), overrides, shipped_catalog());
}

/// All mistakes, one a line; "" if there are none.
inline std::string mistakes(const std::string& text, const std::vector<std::string>& overrides = {},
                            scenario::Syntax syntax = scenario::Syntax::Text) {
  try {
    static_cast<void>(
        scenario::read_scenario_text(text, origin(syntax), overrides, shipped_catalog()));
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace moesim::test
