#include <rapidcheck.h>
#include <zlib.h>

#include <fmt/format.h>

#include <numeric>
#include <string>

#include "interchange/routing_file.h"
#include "tests/support/catch.h"
#include "tests/unit/interchange/support.h"

namespace moesim::interchange {
namespace {

using test::contains_text;
using Ids = std::vector<std::uint16_t>;

std::string mistakes_of(const std::string& text, const RoutingHints& hints = {}) {
  return test::mistakes_of([&] { return parse_routing(text, "trace", hints); });
}

std::string gzipped(const std::string& text) {
  z_stream z{};
  REQUIRE(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string in = text;
  std::string out(text.size() + 1000, '\0');
  z.next_in = reinterpret_cast<Bytef*>(in.data());
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&z, Z_FINISH) == Z_STREAM_END);
  out.resize(out.size() - z.avail_out);
  deflateEnd(&z);
  return out;
}

// Two tokens of two layers, top-2: layer-major order is token 0 and 1 of the first layer, then of
// the second.
const Ids kTwoTokens = {1, 2, 3, 0, 10, 11, 12, 13};

TEST_CASE("token trace: hex text") {
  const RoutingRecord record = parse_routing("5\t0102 0a0b\n5\t0300 0C0D\n", "trace");
  CHECK(record.top_k == 2);
  CHECK(record.experts == 14);
  CHECK(record.moe_layers == 2);
  CHECK(record.tokens.expert == kTwoTokens);
  CHECK(record.tokens.layer == std::vector<std::int32_t>{0, 1});
  const RoutingRecord traced =
      parse_routing("5\t0102 0a0b\n", "trace",
                    {.moe_layers = 9, .experts = 16, .top_k = 2, .trace_layers = {3, 8}});
  CHECK(traced.tokens.layer == std::vector<std::int32_t>{3, 8});
  CHECK(traced.experts == 16);
}

TEST_CASE("token trace: text with sequence and position") {
  const RoutingRecord record = parse_routing("4\t0\t1,2 10,11\n4\t1\t3,0 12,13\n", "trace");
  CHECK(record.tokens.expert == kTwoTokens);
  CHECK(record.tokens.request == std::vector<std::uint64_t>{4, 4});
}

TEST_CASE("token trace: JSON lines with and without a header") {
  const std::string tokens =
      "{\"request\": 1, \"experts\": [[1,2],[10,11]]}\n{\"experts\":[[3,0],[12,13]],\"request\":1}";
  CHECK(parse_routing(tokens, "trace").tokens.expert == kTwoTokens);
  const RoutingRecord record =
      parse_routing("{\"layers\": [4, 7], \"experts\": 64}\n" + tokens, "trace");
  CHECK(record.tokens.layer == std::vector<std::int32_t>{4, 7});
  CHECK(record.tokens.experts == 64);
  CHECK(record.moe_layers == 8);
}

TEST_CASE("token trace: the tokens of a request are brought together") {
  const RoutingRecord record = parse_routing("5\t01\n6\t02\n5\t03\n6\t04\n7\t05\n", "trace");
  CHECK(record.tokens.request == std::vector<std::uint64_t>{5, 5, 6, 6, 7});
  CHECK(record.tokens.expert == Ids{1, 3, 2, 4, 5});
}

TEST_CASE("token trace: an expert beyond the last is named by line, column and layer") {
  const RoutingHints model{.moe_layers = 2, .experts = 64, .top_k = 2};
  CHECK_THAT(mistakes_of("5\t0102 0a0b\n5\t0300 0c40\n", model),
             contains_text("trace:2:10: error: layer 1: expert 64 of 64 does not exist"));
  CHECK_THAT(mistakes_of("4\t0\t1,2 10,64\n", model),
             contains_text("trace:1:12: error: layer 1: expert 64 of 64"));
  CHECK_THAT(mistakes_of("{\"request\": 1, \"experts\": [[1,2],[10,64]]}\n", model),
             contains_text("trace:1:38: error: layer 1: expert 64 of 64"));
  CHECK_THAT(mistakes_of("{\"request\": 1, \"experts\": [[1,256]]}\n", {.experts = 256}),
             contains_text("expert 256 of 256 does not exist; they count from 0"));
}

TEST_CASE("token trace: an expert twice in a token is named") {
  CHECK_THAT(mistakes_of("5\t0102 0a0a\n"),
             contains_text("trace:1:10: error: layer 1: expert 10 stands twice in a token"));
  CHECK_THAT(mistakes_of("{\"request\": 1, \"experts\": [[2,2]]}\n"),
             contains_text("trace:1:31: error: layer 0: expert 2 stands twice"));
}

TEST_CASE("token trace: width and layers must stay") {
  CHECK_THAT(mistakes_of("5\t0102 0304\n5\t010203 040506\n"),
             contains_text("trace:2:3: error: has 3 experts in a layer, expected 2"));
  CHECK_THAT(mistakes_of("5\t0102 0304\n5\t0102\n"),
             contains_text("trace:2:1: error: names experts of 1 layers, the tokens before of 2"));
  CHECK_THAT(mistakes_of("5\t0102 03\n"),
             contains_text("trace:1:8: error: group 1 has 1 experts, the first has 2"));
  CHECK_THAT(mistakes_of("5\t0102\n", {.moe_layers = 58}),
             contains_text("names experts of 1 layers, the model has 58 MoE layers"));
  CHECK_THAT(mistakes_of("5\t0102\n", {.top_k = 8}), contains_text("has 2 experts in a layer"));
  CHECK_THAT(mistakes_of("{\"layers\":[3,2]}\n{\"request\":1,\"experts\":[[1],[2]]}"),
             contains_text("must ascend"));
}

TEST_CASE("token trace: garbled lines are named") {
  CHECK_THAT(mistakes_of("x\t0102\n"),
             contains_text("trace:1:1: error: request: expected a whole"));
  CHECK_THAT(mistakes_of("1\t01G2\n"), contains_text("expected two hex digits for each expert"));
  CHECK_THAT(mistakes_of("1\t012\n"), contains_text("expected two hex digits for each expert"));
  CHECK_THAT(mistakes_of("1\t0\t1,,2\n"), contains_text("expected the number of an expert"));
  CHECK_THAT(mistakes_of("1\t\n"), contains_text("names no experts"));
  CHECK_THAT(mistakes_of("{\"request\": 1}\n"), contains_text("experts: is missing"));
  CHECK_THAT(mistakes_of("{\"request\":1,\"experts\":[[1]],\"x\":2}\n"),
             contains_text("trace:1:34: error: x: is not known"));
  CHECK_THAT(mistakes_of("{\"request\":1,\"experts\":[[1]]}\n{\"experts\":4}\n"),
             contains_text("trace:2:1: error: request: is missing"));
  CHECK_THAT(mistakes_of("{\"request\":1,\"experts\":[[1]]\n"), contains_text("trace:1:"));
  CHECK_THAT(mistakes_of("{\"layers\":[0]}\n"), contains_text("has no tokens"));
}

TEST_CASE("token trace: gzip is undone, cut or damaged data are refused") {
  const std::string text = "5\t0102 0a0b\n5\t0300 0c0d\n";
  const std::string packed = gzipped(text);
  CHECK(parse_routing(packed, "trace").tokens.expert == kTwoTokens);
  CHECK(
      parse_routing(gzipped("5\t0102 0a0b\n") + gzipped("5\t0300 0c0d\n"), "trace").tokens.expert ==
      kTwoTokens);
  CHECK_THAT(mistakes_of(packed.substr(0, packed.size() - 9)), contains_text("end too early"));
  std::string damaged = packed;
  damaged[damaged.size() - 6] = static_cast<char>(damaged[damaged.size() - 6] ^ 0x55);
  CHECK_THAT(mistakes_of(damaged), contains_text("are damaged"));
  CHECK_THAT(mistakes_of(packed + "x"), contains_text("something else behind"));
}

TEST_CASE("token trace: all layouts of the same tokens are one trace", "[property]") {
  CHECK(rc::check([] {
    const auto tokens = *rc::gen::inRange<std::size_t>(1, 20);
    const auto layers = *rc::gen::inRange<std::size_t>(1, 5);
    std::string hex;
    std::string tab;
    std::string json;
    for (std::size_t t = 0; t < tokens; ++t) {
      const auto request = *rc::gen::inRange(0, 4);
      std::string hex_groups;
      std::string tab_groups;
      std::string json_groups;
      for (std::size_t l = 0; l < layers; ++l) {
        const auto a = *rc::gen::inRange(0, 255);
        const auto b = (a + *rc::gen::inRange(1, 256)) % 256;
        hex_groups += fmt::format("{}{:02x}{:02x}", l > 0 ? " " : "", a, b);
        tab_groups += fmt::format("{}{},{}", l > 0 ? " " : "", a, b);
        json_groups += fmt::format("{}[{},{}]", l > 0 ? "," : "", a, b);
      }
      hex += fmt::format("{}\t{}\n", request, hex_groups);
      tab += fmt::format("{}\t{}\t{}\n", request, t, tab_groups);
      json += fmt::format("{{\"request\":{},\"experts\":[{}]}}\n", request, json_groups);
    }
    const RoutingHints hints{.experts = 256, .top_k = 2};
    const auto a = parse_routing(hex, "trace", hints).tokens;
    const auto b = parse_routing(tab, "trace", hints).tokens;
    const auto c = parse_routing(json, "trace", hints).tokens;
    RC_ASSERT(a.expert == b.expert);
    RC_ASSERT(a.expert == c.expert);
    RC_ASSERT(a.request == b.request);
    RC_ASSERT(a.request == c.request);
    RC_ASSERT(a.expert.size() == tokens * layers * 2);
  }));
}

}  // namespace
}  // namespace moesim::interchange
