// Any bytes given to the reader of curves are read or refused; what is read can be written and read
// again.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "core/check.h"
#include "core/diagnostics.h"
#include "operators/coefficient.h"
#include "scenario/catalog_reader.h"
#include "scenario/curve_files.h"

namespace {

const moesim::catalog::Catalog& catalog() {
  static const moesim::catalog::Catalog shipped = moesim::scenario::read_catalog(
      std::string(MOESIM_SOURCE_DIR) + "/scenarios/catalog",
      moesim::scenario::CatalogParts::Gpus | moesim::scenario::CatalogParts::Fabrics);
  return shipped;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(bytes), size);
  try {
    const auto curves = moesim::scenario::parse_curves(text, "fuzz.txtpb", catalog().gpus);
    for (const moesim::catalog::Curve& curve : curves) {
      const auto specs = moesim::operators::coefficients_of(curve.key.operation);
      for (const double value : moesim::operators::values_of(curve, specs)) {
        MOESIM_CHECK(std::isfinite(value), "a coefficient is finite");
      }
    }
    const std::string once = moesim::scenario::curves_text(curves);
    const auto again = moesim::scenario::parse_curves(once, "again.txtpb", catalog().gpus);
    MOESIM_CHECK(moesim::scenario::curves_text(again) == once, "what is written is read again");
  } catch (const moesim::InputError& error) {
    MOESIM_CHECK(!error.diagnostics().empty(), "a refusal has a reason");
  }
  return 0;
}
