#include "scenario/catalog_layers.h"

#include <rapidcheck.h>

#include "tests/support/catch.h"

namespace moesim::scenario {
namespace {
using Runs = std::vector<catalog::LayerRun>;

const std::vector<std::string> kKinds = {"a", "b", "long_name2"};

std::vector<std::pair<int, int>> parsed(std::string_view text) {
  const auto result = parse_layers(text, kKinds);
  REQUIRE(std::holds_alternative<Runs>(result));
  std::vector<std::pair<int, int>> pairs;
  for (const catalog::LayerRun& run : std::get<Runs>(result)) {
    pairs.emplace_back(run.kind, run.count);
  }
  return pairs;
}

std::string message(std::string_view text) {
  const auto result = parse_layers(text, kKinds);
  REQUIRE(std::holds_alternative<LayerPatternError>(result));
  const auto& error = std::get<LayerPatternError>(result);
  return error.message + "; " + error.hint;
}

TEST_CASE("parse_layers: names, counts and parentheses", "[scenario][catalog]") {
  using Pairs = std::vector<std::pair<int, int>>;
  CHECK(parsed("a*3 b*58") == Pairs{{0, 3}, {1, 58}});
  CHECK(parsed("  a   a b ") == Pairs{{0, 2}, {1, 1}});
  CHECK(parsed("(a b)*2 long_name2") == Pairs{{0, 1}, {1, 1}, {0, 1}, {1, 1}, {2, 1}});
  CHECK(parsed("((a*2 b)*2 a)*2") ==
        Pairs{{0, 2}, {1, 1}, {0, 2}, {1, 1}, {0, 3}, {1, 1}, {0, 2}, {1, 1}, {0, 1}});
}

TEST_CASE("parse_layers: what is wrong is said", "[scenario][catalog]") {
  using moesim::test::contains_text;
  CHECK_THAT(message("a lon_name2"), contains_text("did you mean long_name2?"));
  CHECK_THAT(message(""), contains_text("names no layer"));
  CHECK_THAT(message("(a"), contains_text("without \")\""));
  CHECK_THAT(message("a)"), contains_text("without \"(\""));
  CHECK_THAT(message("a*"), contains_text("without a count"));
  CHECK_THAT(message("a*0"), contains_text("without a count"));
  CHECK_THAT(message("a*99999999999999999999"), contains_text("without a count"));
  CHECK_THAT(message("a,b"), contains_text("unexpected \",\""));
  CHECK_THAT(message("(a*4096)*2"), contains_text("more than 4096 layers"));
  CHECK_THAT(message("((((((((((a))))))))))"), contains_text("nests more than 8"));
  CHECK_THAT(message("((a*4096 b*4096)*4096)*4096"), contains_text("more than 4096 layers"));
}

TEST_CASE("format_layers: repetitions are found", "[scenario][catalog]") {
  const auto again = [](std::string_view text) {
    return format_layers(std::get<Runs>(parse_layers(text, kKinds)), kKinds);
  };
  CHECK(again("a*3 b*58") == "a*3 b*58");
  CHECK(again("a b a b a b") == "(a b)*3");
  CHECK(again("a*2 (long_name2 b)*20 long_name2") == "a*2 (long_name2 b)*20 long_name2");
  CHECK(again("(a*3 b)*12") == "(a*3 b)*12");
}

TEST_CASE("format_layers: the text parses back to the same layers",
          "[scenario][catalog][property]") {
  CHECK(rc::check([] {
    Runs runs;
    const auto kinds = *rc::gen::nonEmpty(
        rc::gen::container<std::vector<std::int32_t>>(rc::gen::inRange<std::int32_t>(0, 3)));
    for (const std::int32_t kind : kinds) {
      const std::int32_t count = *rc::gen::inRange<std::int32_t>(1, 4);
      if (!runs.empty() && runs.back().kind == kind) {
        runs.back().count += count;
      } else {
        runs.push_back({.kind = kind, .count = count});
      }
    }
    const auto back = std::get<Runs>(parse_layers(format_layers(runs, kKinds), kKinds));
    RC_ASSERT(back.size() == runs.size());
    for (std::size_t i = 0; i < runs.size(); ++i) {
      RC_ASSERT(back[i].kind == runs[i].kind);
      RC_ASSERT(back[i].count == runs[i].count);
    }
  }));
}

}  // namespace
}  // namespace moesim::scenario
