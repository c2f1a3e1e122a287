#include "interchange/instance.h"

#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <string>

#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/interchange/support.h"

namespace moesim::interchange {
namespace {

namespace fs = std::filesystem;
using test::contains_text;
using test::write_bytes;

constexpr const char* kFacts =
    "{\"name\": \"toy\", \"experts\": 4, \"top_k\": 2, \"groups\": 2, \"top_groups\": 2,\n"
    "\"layers\": 3, \"trace_layers\": [0, 2], \"seed\": 7}";

/// Three MoE layers of four experts; tokens of the first and the last.
void write_toy(const fs::path& folder) {
  write_bytes(folder / "instance.json", kFacts);
  write_bytes(folder / "load_train.csv", "1,2,3,4\n5,6,7,8\n4,3,2,1\n");
  write_bytes(folder / "load_eval.csv", "1,1,1,1\r\n2,2,2,2\r\n3,3,3,0.5\r\n");
  write_bytes(folder / "trace_train.txt", "9\t0001 0203\n9\t0102 0003\n10\t0001 0002\n");
}

std::string mistakes_in(const fs::path& folder) {
  return test::mistakes_of([&] { return read_instance(folder.string()); });
}

TEST_CASE("instance: loads and tokens of a folder") {
  const test::TemporaryDirectory folder;
  write_toy(folder.path());
  const Instance instance = read_instance(folder.path());
  CHECK(instance.name == "toy");
  CHECK(instance.shape.moe_layers == 3);
  CHECK(instance.shape.groups == 2);
  CHECK(instance.train.load == std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 4, 3, 2, 1});
  CHECK(instance.eval.load[11] == 0.5);
  CHECK(instance.eval.tokens.empty());
  const routing::TokenTrace& tokens = instance.train.tokens;
  CHECK(tokens.layer == std::vector<std::int32_t>{0, 2});
  CHECK(tokens.request == std::vector<std::uint64_t>{9, 9, 10});
  // Layer-major: layer 0 of the three tokens, then layer 2.
  CHECK(tokens.expert == std::vector<std::uint16_t>{0, 1, 1, 2, 0, 1, 2, 3, 0, 3, 0, 2});
}

TEST_CASE("instance: what is missing is named") {
  const test::TemporaryDirectory folder;
  CHECK_THAT(mistakes_in(folder.path()), contains_text("instance.json: cannot be opened"));
  write_toy(folder.path());
  fs::remove(folder.file("load_eval.csv"));
  CHECK_THAT(mistakes_in(folder.path()), contains_text("load_eval.csv: cannot be opened"));
  write_bytes(folder.file("instance.json"), "{\"experts\": 4, \"top_k\": 2}");
  CHECK_THAT(mistakes_in(folder.path()), contains_text("layers: is missing"));
}

TEST_CASE("instance: sizes are bounded before anything is made of them") {
  const test::TemporaryDirectory folder;
  write_toy(folder.path());
  write_bytes(folder.file("instance.json"),
              "{\"experts\": 1000000,\n\"top_k\": 2, \"layers\": 1000000000}");
  const std::string found = mistakes_in(folder.path());
  CHECK_THAT(found, contains_text("instance.json:1:13: error: experts: must be 1..1024"));
  CHECK_THAT(found, contains_text("instance.json:2:23: error: layers: must be 1..1024"));
}

TEST_CASE("instance: loads and tokens must fit instance.json") {
  const test::TemporaryDirectory folder;
  write_toy(folder.path());
  write_bytes(folder.file("load_train.csv"), "1,2,3,4\n5,6,7\n4,nan,2,1\n0,0,0,0\n");
  const std::string found = mistakes_in(folder.path());
  CHECK_THAT(found, contains_text("load_train.csv:3:3: error: layer 2 expert 1: is not a number"));
  write_bytes(folder.file("load_train.csv"), "1,2,3,4\n5,6,7\n0,0,0,0\n");
  const std::string width = mistakes_in(folder.path());
  CHECK_THAT(width, contains_text("load_train.csv:2:1: error: layer 1: has 3 loads, expected 4"));
  CHECK_THAT(width, contains_text("load_train.csv:3:1: error: layer 2: all loads are 0"));
  write_toy(folder.path());
  write_bytes(folder.file("trace_train.txt"), "1\t0004 0001\n");
  CHECK_THAT(mistakes_in(folder.path()),
             contains_text("trace_train.txt:1:5: error: layer 0: expert 4 of 4 does not exist"));
}

TEST_CASE("instance: the benchmark's folders are read") {
  const char* shared = std::getenv("MOESIM_SHARED_DIR");
  const std::string folder = std::string(shared != nullptr ? shared : MOESIM_SHARED_DIR) +
                             "/placement_bench/w05_real_shift";
  if (!fs::exists(folder)) {
    WARN("skipped: no " << folder);
    return;
  }
  const Instance instance = read_instance(folder);
  CHECK(instance.shape.top_k == 8);
  CHECK(instance.train.tokens.tokens() == 8192);
  CHECK(instance.eval.tokens.tokens() == 4096);
  CHECK(instance.train.tokens.rows() == 16);
  // Each line of a load sums to 4,194,304 (its README).
  for (std::int64_t layer = 0; layer < 58; ++layer) {
    const auto from = instance.train.load.begin() + layer * 256;
    CHECK(std::accumulate(from, from + 256, 0.0) == 4194304.0);
  }
}

}  // namespace
}  // namespace moesim::interchange
