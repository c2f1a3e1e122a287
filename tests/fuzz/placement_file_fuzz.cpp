// Any bytes given to the reader of placement files make a placement that verifies and that every
// engine's format keeps, or are refused; nothing else happens.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "core/diagnostics.h"
#include "interchange/placement_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace moesim;
  // Two MoE layers behind a dense one, four experts, two ranks of three slots.
  const placement::PlacementShape shape{.moe_layers = 2,
                                        .experts = 4,
                                        .ranks = 2,
                                        .slots_per_rank = 3,
                                        .expert_groups = 1,
                                        .domain_of_rank = {0, 0},
                                        .rack_of_domain = {}};
  const interchange::ModelLayers layers = interchange::dense_first(1, 2);
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  try {
    const placement::Placement placement =
        interchange::parse_placement(text, "fuzz", shape, layers);
    MOESIM_CHECK(placement::verify(placement).empty(), "what is accepted verifies");
    for (const interchange::EngineFormat format : interchange::engine_formats()) {
      const auto again = interchange::parse_placement(
          interchange::engine_text(format, placement, layers), "again", shape, layers);
      MOESIM_CHECK(again.expert_of_slot == placement.expert_of_slot, "every format keeps it");
    }
  } catch (const InputError& error) {
    MOESIM_CHECK(!error.diagnostics().empty(), "a refusal has a reason");
    MOESIM_CHECK(error.diagnostics().size() <= 21, "the list of reasons is bounded");
  }
  return 0;
}
