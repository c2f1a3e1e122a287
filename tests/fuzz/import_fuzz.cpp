// Any bytes given to the importer of Hugging Face configs make a model that can be used, or are
// refused; nothing else happens.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "catalog/kv_cache.h"
#include "catalog/parameters.h"
#include "core/check.h"
#include "core/diagnostics.h"
#include "scenario/catalog_reader.h"
#include "scenario/hf_import.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string text(bytes, bytes + size);
  try {
    const moesim::catalog::Model model =
        moesim::scenario::import_hf_text(text, "config.json", "fuzz");
    const auto parameters = moesim::catalog::count_parameters(model);
    MOESIM_CHECK(parameters.total() > 0, "an imported model has parameters");
    MOESIM_CHECK(parameters.active <= parameters.total(), "active ones are among them");
    const auto cache = moesim::catalog::kv_footprint(model, 2.0 * moesim::kByte, 3);
    MOESIM_CHECK(cache.of_sequence(1) <= cache.of_sequence(1'000'000), "caches grow");
    MOESIM_CHECK(!moesim::scenario::model_text(model).empty(), "it can be printed");
  } catch (const moesim::InputError& error) {
    MOESIM_CHECK(!error.diagnostics().empty(), "a refusal says why");
  }
  return 0;
}
