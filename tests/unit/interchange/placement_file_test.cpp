#include "interchange/placement_file.h"

#include <rapidcheck.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/random_placement.h"
#include "tests/unit/interchange/support.h"

namespace moesim::interchange {
namespace {

using placement::Placement;
using placement::PlacementShape;
using test::toy_layers;
using test::toy_placement;
using test::toy_slots;

Placement parsed(const std::string& text) {
  return parse_placement(text, "map", toy_slots(), toy_layers());
}

Placement some_placement(std::int64_t moe_layers) {
  PlacementShape shape;
  shape.moe_layers = moe_layers;
  shape.ranks = *rc::gen::inRange<std::int64_t>(1, 6);
  shape.slots_per_rank = *rc::gen::inRange<std::int64_t>(1, 7);
  shape.experts = *rc::gen::inRange<std::int64_t>(shape.slots_per_rank, shape.slots() + 1);
  shape.domain_of_rank.assign(static_cast<std::size_t>(shape.ranks), 0);
  return test::random_placement(shape, *rc::gen::arbitrary<std::uint64_t>());
}

TEST_CASE("placement file: what is written for any engine is read back", "[property]") {
  CHECK(rc::check([] {
    const auto moe_layers = *rc::gen::inRange<std::int64_t>(1, 5);
    const auto dense = *rc::gen::inRange<std::int64_t>(0, 4);
    const Placement placement = some_placement(moe_layers);
    ModelLayers layers = dense_first(dense, moe_layers);
    if (*rc::gen::arbitrary<bool>()) {  // Every second layer has experts.
      layers.hidden_layers = 2 * moe_layers;
      for (std::int64_t i = 0; i < moe_layers; ++i) {
        layers.moe_layer_ids[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(2 * i + 1);
      }
    }
    for (const EngineFormat format : engine_formats()) {
      const Placement again =
          parse_placement(engine_text(format, placement, layers), "map", placement.shape, layers);
      RC_ASSERT(again.expert_of_slot == placement.expert_of_slot);
      RC_ASSERT(placement::verify(again).empty());
    }
  }));
}

TEST_CASE("placement file: SGLang's map may have the MoE layers alone") {
  CHECK(parsed("{\"physical_to_logical_map\":[[0,1,2,3,0,1],[3,2,1,0,2,3]]}").expert_of_slot ==
        toy_placement().expert_of_slot);
}

TEST_CASE("placement file: a bare list has a row per layer of either count") {
  const auto expected = toy_placement().expert_of_slot;
  CHECK(parsed("[[0,1,2,3,0,1],[3,2,1,0,2,3]]").expert_of_slot == expected);
  CHECK(parsed("[[0,0,0,0,0,0],[0,1,2,3,0,1],[3,2,1,0,2,3]]").expert_of_slot == expected);
}

TEST_CASE("placement file: one bare row serves all layers") {
  CHECK(parsed("[0,1,2,3,0,1]").expert_of_slot ==
        std::vector<std::int32_t>{0, 1, 2, 3, 0, 1, 0, 1, 2, 3, 0, 1});
}

TEST_CASE("placement file: vLLM-Ascend's layers may have their numbers in the model") {
  std::string text = engine_text(EngineFormat::VllmAscend, toy_placement(), toy_layers());
  text.replace(text.find("\"layer_id\": 1"), 13, "\"layer_id\": 2");
  text.replace(text.find("\"layer_id\": 0"), 13, "\"layer_id\": 1");
  CHECK(parsed(text).expert_of_slot == toy_placement().expert_of_slot);
}

TEST_CASE("placement file: recorded plans of the benchmark are read") {
  const char* shared = std::getenv("MOESIM_SHARED_DIR");
  const std::string folder =
      std::string(shared != nullptr ? shared : MOESIM_SHARED_DIR) + "/placement_bench/golden_eplb";
  if (!std::filesystem::exists(folder)) {
    WARN("skipped: no " << folder);
    return;
  }
  const auto read = [&](const std::string& file, std::int64_t ranks, std::int64_t slots) {
    PlacementShape shape;
    shape.moe_layers = 58;
    shape.experts = 256;
    shape.ranks = ranks;
    shape.slots_per_rank = slots / ranks;
    shape.domain_of_rank.assign(static_cast<std::size_t>(ranks), 0);
    return read_placement(folder + "/" + file, shape, dense_first(3, 58));
  };
  CHECK(placement::verify(read("w06_real_decode_G320_P320_global.json", 320, 320)).empty());
  // The balancer that made this one does put two replicas of an expert on one rank at times.
  CHECK_THAT(
      test::mistakes_of([&] { return read("w01_calibrated_G32_P288_global.json", 32, 288); }),
      test::contains_text("layer 4, slot 280 (rank 31): expert 156 is on this rank already, "
                          "in slot 279"));
}

}  // namespace
}  // namespace moesim::interchange
