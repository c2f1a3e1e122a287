#include <filesystem>
#include <string>

#include "interchange/routing_file.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/interchange/support.h"

namespace moesim::interchange {
namespace {

using test::contains_text;
using test::write_bytes;

std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xffU);
  return text;
}

std::string numbers(std::initializer_list<std::int32_t> values) {
  std::string text;
  for (const std::int32_t v : values) text += little_endian(static_cast<std::uint32_t>(v), 4);
  return text;
}

std::string safetensors(const std::string& header, const std::string& payload) {
  return little_endian(header.size(), 8) + header + payload;
}

std::string tensor(const std::string& name, int begin, int end, const std::string& type = "I32",
                   int length = 3) {
  return "\"" + name + "\":{\"dtype\":\"" + type + "\",\"shape\":[" + std::to_string(length) +
         "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
}

class Statistics {
 public:
  Statistics() {
    write_bytes(folder_.file("meta_info.json"),
                "{\"num_experts\": 3, \"num_experts_per_token\": 2}");
  }
  void add(int rank, const std::string& bytes) {
    write_bytes(folder_.file("rank" + std::to_string(rank) + ".safetensors"), bytes);
  }
  [[nodiscard]] std::string path() const { return folder_.path(); }
  [[nodiscard]] std::string mistakes(const RoutingHints& hints = {}) const {
    return test::mistakes_of([&] { return read_routing(path(), hints); });
  }

 private:
  test::TemporaryDirectory folder_;
};

TEST_CASE("TensorRT-LLM statistics: iterations and ranks are added up") {
  Statistics s;
  // Layer 3 in two iterations and layer 4 on rank 0; layer 3 again on rank 1.
  s.add(0, safetensors("{\"__metadata__\":{\"a\":\"b\"}," + tensor("7_3", 0, 12) + "," +
                           tensor("8_3", 12, 24) + "," + tensor("7_4", 24, 36) + "}",
                       numbers({1, 2, 3, 10, 20, 30, 0, 0, 5})));
  s.add(1, safetensors("{" + tensor("7_3", 0, 12) + "}", numbers({100, 200, 300})));
  const RoutingRecord record = read_routing(s.path());
  CHECK(record.moe_layers == 2);
  CHECK(record.top_k == 2);
  CHECK(record.load == std::vector<double>{111, 222, 333, 0, 0, 5});
  CHECK(read_routing(s.path(), {.moe_layers = 2, .layers = dense_first(3, 2)}).load == record.load);
  CHECK_THAT(s.mistakes({.moe_layers = 2, .layers = dense_first(1, 2)}),
             contains_text("layer 3: is not a MoE layer of the model, expected 1"));
  CHECK_THAT(s.mistakes({.experts = 256}), contains_text("num_experts: is 3, the model has 256"));
  CHECK_THAT(s.mistakes({.moe_layers = 58}), contains_text("has loads of 2 layers"));
}

TEST_CASE("TensorRT-LLM statistics: damaged files are refused") {
  const auto mistakes = [](const std::string& bytes) {
    Statistics s;
    s.add(0, bytes);
    return s.mistakes();
  };
  const std::string ids = numbers({1, 2, 3});
  CHECK_THAT(mistakes("abc"), contains_text("rank0.safetensors: error: is too short"));
  CHECK_THAT(mistakes(little_endian(std::uint64_t{1} << 60, 8) + "{}"),
             contains_text("its header should have 1152921504606846976 bytes, the file has 2"));
  CHECK_THAT(mistakes(safetensors("{" + tensor("1_3", 0, 16) + "}", ids)),
             contains_text("do not lie in the file's 12 bytes"));
  CHECK_THAT(mistakes(safetensors("{" + tensor("1_3", 0, 8) + "}", ids)),
             contains_text("has 8 bytes for 3 values"));
  CHECK_THAT(mistakes(safetensors("{" + tensor("1_3", 0, 12, "F32") + "}", ids)),
             contains_text("expected I32 or I64 numbers, got \"F32\""));
  CHECK_THAT(mistakes(safetensors("{" + tensor("1_3", 0, 8, "I32", 2) + "}", ids)),
             contains_text("layer 3 has 2 loads, expected 3 experts"));
  CHECK_THAT(mistakes(safetensors("{" + tensor("rank", 0, 12) + "}", ids)),
             contains_text("expected a name <iteration>_<layer>"));
  CHECK_THAT(mistakes(safetensors("{" + tensor("1_3", 0, 12) + "}", numbers({1, -2, 3}))),
             contains_text("layer 3 expert 1: must be 0..1e15, got -2"));
  CHECK_THAT(mistakes(safetensors("{" + tensor("1_3", 0, 12) + "}", numbers({0, 0, 0}))),
             contains_text("all loads are 0"));
}

TEST_CASE("TensorRT-LLM statistics: a folder of something else is refused") {
  const test::TemporaryDirectory empty;
  const auto mistakes = [](const std::string& path) {
    return test::mistakes_of([&] { return read_routing(path); });
  };
  CHECK_THAT(mistakes(empty.path()), contains_text("is a folder without meta_info.json"));
  const Statistics s;
  CHECK_THAT(s.mistakes(), contains_text("has no file rank<r>.safetensors"));
}

}  // namespace
}  // namespace moesim::interchange
