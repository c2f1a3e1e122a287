#include "sweep/varied_fields.h"

#include <string>
#include <vector>

#include "core/diagnostics.h"
#include "tests/support/catch.h"

namespace moesim::sweep {
namespace {

using moesim::test::contains_text;
using Texts = std::vector<std::string>;

TEST_CASE("parse_varied_fields: a field and its values", "[sweep]") {
  const auto axes = parse_varied_fields({"experts.placement.strategy=contiguous, eplb"});
  REQUIRE(axes.size() == 1);
  CHECK(axes[0].field == "experts.placement.strategy");
  CHECK(axes[0].values == Texts{"contiguous", "eplb"});
}

TEST_CASE("parse_varied_fields: commas inside a value stay there", "[sweep]") {
  const auto axes = parse_varied_fields({R"(a={x: 1, y: [2, 3]},"b, \" c",d)"});
  CHECK(axes[0].values == Texts{"{x: 1, y: [2, 3]}", R"("b, \" c")", "d"});
}

TEST_CASE("parse_varied_fields: mistakes, all at once", "[sweep]") {
  const auto told = [](const Texts& options) -> std::string {
    try {
      (void)parse_varied_fields(options);
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };
  CHECK_THAT(told({"a.b"}), contains_text("has no '='"));
  CHECK_THAT(told({"a.b="}), contains_text("names no values"));
  CHECK_THAT(told({"=1,2"}), contains_text("names no field"));
  CHECK_THAT(told({"a.b=1"}), contains_text("has one value, which varies nothing"));
  CHECK_THAT(told({"a.b=1,,2"}), contains_text("value 2 is empty"));
  CHECK_THAT(told({"a.b=1,2,1"}), contains_text("1 stands twice"));
  CHECK_THAT(told({"a.b=1,2", "a.b=3,4"}), contains_text("a.b is varied already"));
  const std::string two = told({"a.b", "c=1"});
  CHECK_THAT(two, contains_text("has no '='"));
  CHECK_THAT(two, contains_text("varies nothing"));
  // 5^3 = 125 combinations.
  CHECK_THAT(told({"a=1,2,3,4,5", "b=1,2,3,4,5", "c=1,2,3,4,5"}),
             contains_text("more than 100 variants"));
}

TEST_CASE("combinations: names say what differs", "[sweep]") {
  const auto names = [](const Texts& options) {
    Texts found;
    for (const NamedSettings& s : combinations(parse_varied_fields(options))) {
      found.push_back(s.name);
    }
    return found;
  };
  CHECK(names({"experts.placement.strategy=contiguous,eplb"}) == Texts{"contiguous", "eplb"});
  CHECK(names({"experts.redundant_experts=0,32"}) ==
        Texts{"redundant_experts=0", "redundant_experts=32"});
  CHECK(names({"a.strategy=x,y", "a.spare=0,32"}) ==
        Texts{"strategy=x, spare=0", "strategy=x, spare=32", "strategy=y, spare=0",
              "strategy=y, spare=32"});
  CHECK(names({"a.n=1,2", "b.n=3,4"})[0] == "a.n=1, b.n=3");
}

TEST_CASE("combinations: every one once, with the settings that make it", "[sweep]") {
  const auto all = combinations(parse_varied_fields({"a=1,2", "b=3,4,5"}));
  REQUIRE(all.size() == 6);
  CHECK(all[5].settings ==
        std::vector<Setting>{{.field = "a", .value = "2"}, {.field = "b", .value = "5"}});
}

}  // namespace
}  // namespace moesim::sweep
