// Any bytes given to the reader of expert statistics (safetensors) are counted or refused; nothing
// else happens.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "core/diagnostics.h"
#include "interchange/tensorrt_statistics.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  moesim::interchange::LayerCounts counts;
  try {
    moesim::interchange::add_rank_statistics(text, "fuzz", 3, counts);
    for (const auto& [layer, row] : counts) {
      MOESIM_CHECK(layer >= 0 && row.size() == 3, "a row has a count of each expert");
      for (const double count : row) MOESIM_CHECK(count >= 0.0, "counts are not negative");
    }
  } catch (const moesim::InputError& error) {
    MOESIM_CHECK(!error.diagnostics().empty(), "a refusal has a reason");
    MOESIM_CHECK(error.diagnostics().size() <= 21, "the list of reasons is bounded");
  }
  return 0;
}
