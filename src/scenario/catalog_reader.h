// Reads the catalog from its directory: scenarios/catalog/{models,gpus,...}.txtpb.
//
// Only the asked-for parts are opened, so a run does not pay for prices it does not print.
// Layer: scenario.
#pragma once

#include <string>

#include "catalog/catalog.h"

namespace moesim::scenario {

/// Parts of the catalog, to be joined with `|`. Each is one file.
enum class CatalogParts : unsigned {
  Models = 1,
  Gpus = 2,
  Fabrics = 4,
  Formats = 8,
  Engines = 16,
  Prices = 32,
  Collectives = 64,
  Curves = 256,  ///< A folder; needs Gpus.
  /// What a simulation needs.
  Run = Models | Gpus | Fabrics | Formats | Engines | Curves,
  All = 127
};
[[nodiscard]] constexpr CatalogParts operator|(CatalogParts a, CatalogParts b) {
  return CatalogParts{static_cast<unsigned>(a) | static_cast<unsigned>(b)};
}
[[nodiscard]] constexpr bool contains(CatalogParts set, CatalogParts part) {
  return (static_cast<unsigned>(set) & static_cast<unsigned>(part)) == static_cast<unsigned>(part);
}

/// The parts of the catalog in `directory` (which holds models.txtpb and so on).
/// Throws IoError for a missing file and InputError with every mistake of all files.
[[nodiscard]] catalog::Catalog read_catalog(const std::string& directory,
                                            CatalogParts parts = CatalogParts::All);

/// Where the shipped scenarios (and catalog/ below them) stand: $MOESIM_DATA if set, else
/// ../share/moesim/scenarios beside the program, else the source tree it was built from. Throws
/// IoError if none is a directory with a catalog, naming the places looked at.
[[nodiscard]] std::string find_data_directory();
/// The catalog below it.
[[nodiscard]] std::string find_catalog_directory();

/// What a priced simulation needs of that catalog.
[[nodiscard]] catalog::Catalog read_run_catalog();

/// The entry of models.txtpb that describes `model`.
[[nodiscard]] std::string model_text(const catalog::Model& model);
/// The same as a JSON object.
[[nodiscard]] std::string model_json(const catalog::Model& model);

}  // namespace moesim::scenario
