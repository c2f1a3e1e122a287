// Reads arbitrary bytes as a scenario: text format, JSON by the first byte, and a sweep.
//
// No file is opened: what a scenario names stays unread. Layer: tests.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/diagnostics.h"
#include "scenario/catalog_reader.h"
#include "scenario/scenario_reader.h"
#include "scenario/sweep_reader.h"

namespace {

const moesim::catalog::Catalog& catalog() {
  static const moesim::catalog::Catalog shipped = moesim::scenario::read_catalog(
      moesim::scenario::find_catalog_directory(),
      moesim::scenario::CatalogParts::Run | moesim::scenario::CatalogParts::Prices);
  return shipped;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string text(bytes, bytes + size);
  const moesim::scenario::TextOrigin origin{.file_name = "fuzz",
                                            .folder = "",
                                            .syntax = text.starts_with('{')
                                                          ? moesim::scenario::Syntax::Json
                                                          : moesim::scenario::Syntax::Text,
                                            .may_open_files = false};
  // The first line may hold an override: "#--set a.b=c".
  std::vector<std::string> overrides;
  constexpr std::string_view kMark = "#--set ";
  if (text.starts_with(kMark)) {
    overrides.push_back(text.substr(kMark.size(), text.find('\n') - kMark.size()));
  }
  try {
    static_cast<void>(moesim::scenario::read_scenario_text(text, origin, overrides, catalog()));
  } catch (const moesim::InputError&) {
  }
  try {
    static_cast<void>(moesim::scenario::read_sweep_text(text, origin, {}, catalog()));
  } catch (const moesim::InputError&) {
  }
  return 0;
}
