// Written files as other programs read them: with Python, where there is one.
#include <cstdlib>
#include <filesystem>
#include <string>

#include "interchange/placement_file.h"
#include "tests/support/catch.h"
#include "tests/support/random_placement.h"
#include "tests/support/temporary_directory.h"

namespace moesim::interchange {
namespace {

bool runs(const std::string& command) {
  return std::system((command + " > /dev/null 2>&1").c_str()) == 0;
}

/// DeepSeek-V3 on 32 ranks of 9 slots.
placement::Placement large_placement() {
  placement::PlacementShape shape;
  shape.moe_layers = 58;
  shape.experts = 256;
  shape.ranks = 32;
  shape.slots_per_rank = 9;
  shape.domain_of_rank.assign(32, 0);
  return test::random_placement(shape, 1);
}

TEST_CASE("SGLang file: Python's JSON reader and the rules of the benchmark accept it") {
  if (!runs("python3 -c pass")) {
    WARN("skipped: no python3");
    return;
  }
  const test::TemporaryDirectory folder;
  const std::string file = folder.write(
      "map.json", engine_text(EngineFormat::Sglang, large_placement(), dense_first(3, 58)));
  // As the benchmark's evaluation reads it: 61 rows, the first three skipped; every expert there.
  const std::string script = folder.write("read.py",
                                          "import json, sys\n"
                                          "d = json.load(open(sys.argv[1]))\n"
                                          "assert list(d) == ['physical_to_logical_map']\n"
                                          "rows = d['physical_to_logical_map']\n"
                                          "assert len(rows) == 61\n"
                                          "assert all(len(r) == 288 for r in rows)\n"
                                          "for r in rows[3:]:\n"
                                          "  assert set(r) == set(range(256))\n"
                                          "  for g in range(32):\n"
                                          "    assert len(set(r[9 * g:9 * g + 9])) == 9\n");
  CHECK(runs("python3 " + script + " " + file));
  const char* given = std::getenv("MOESIM_SHARED_DIR");
  const std::string bench =
      std::string(given != nullptr ? given : MOESIM_SHARED_DIR) + "/placement_bench";
  if (!runs("python3 -c 'import numpy'") || !std::filesystem::exists(bench)) {
    WARN("skipped: the benchmark's own evaluation needs numpy and " << bench);
    return;
  }
  CHECK(runs("python3 " + bench + "/evaluate.py " + bench + "/w01_calibrated " + file + " 32"));
}

TEST_CASE("vLLM-Ascend file: Python makes one table of all layers of it") {
  if (!runs("python3 -c pass")) {
    WARN("skipped: no python3");
    return;
  }
  const test::TemporaryDirectory folder;
  const std::string file = folder.write(
      "map.json", engine_text(EngineFormat::VllmAscend, large_placement(), dense_first(3, 58)));
  const std::string script =
      folder.write("read.py",
                   "import json, sys\n"
                   "d = json.load(open(sys.argv[1]))\n"
                   "t = [[v['device_expert'] for v in l['device_list']] for l in d['layer_list']]\n"
                   "assert len(t) == d['moe_layer_count'] == 58\n"
                   "assert all(len(l) == 32 and all(len(v) == 9 for v in l) for l in t)\n");
  CHECK(runs("python3 " + script + " " + file));
}

}  // namespace
}  // namespace moesim::interchange
