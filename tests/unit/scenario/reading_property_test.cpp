// Whatever stands in a file, reading it ends in a scenario or in mistakes with a place.
#include <rapidcheck.h>

#include <fstream>
#include <iterator>

#include "reading.h"
#include "tests/support/catch.h"

namespace moesim::scenario {
namespace {

std::string shipped_text(const std::string& name) {
  std::ifstream file(std::string(MOESIM_SOURCE_DIR) + "/scenarios/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

void read_or_refuse(const std::string& text, Syntax syntax,
                    const std::vector<std::string>& overrides = {}) {
  TextOrigin origin = test::origin(syntax);
  origin.may_open_files = false;
  try {
    static_cast<void>(read_scenario_text(text, origin, overrides, test::shipped_catalog()));
  } catch (const InputError& error) {
    for (const Diagnostic& diagnostic : error.diagnostics()) {
      RC_ASSERT(!diagnostic.message.empty());
      RC_ASSERT(diagnostic.line > 0 || diagnostic.file.starts_with("--set") ||
                diagnostic.message.ends_with("not shown"));
    }
  }
}

TEST_CASE("reading: a scenario cut, doubled or damaged anywhere is read or refused") {
  const std::string whole = shipped_text("deepseek_v3_h200_ep32.txtpb");
  REQUIRE_FALSE(whole.empty());
  CHECK(rc::check([&] {
    std::string text = whole;
    const int edits = *rc::gen::inRange(1, 6);
    for (int i = 0; i < edits; ++i) {
      const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
      const auto length = *rc::gen::inRange<std::size_t>(0, 40);
      switch (*rc::gen::inRange(0, 4)) {
        case 0:
          text.erase(at, length);
          break;
        case 1:
          text.insert(at, text.substr(at, length));
          break;
        case 2:
          text[at] = *rc::gen::arbitrary<char>();
          break;
        default:
          text.insert(at, *rc::gen::elementOf(std::vector<std::string>{
                              "{", "}", "\"", "[", "nan", "-1", ": ", "1e999", "<", "#", "\xff"}));
      }
      if (text.empty()) text = " ";
    }
    read_or_refuse(text, Syntax::Text);
    read_or_refuse(text, Syntax::Json);
  }));
}

TEST_CASE("reading: any --set is applied or refused") {
  CHECK(rc::check([] {
    const auto path = *rc::gen::elementOf(std::vector<std::string>{
        "model", "cluster", "cluster.nodes", "cluster.scale_out", "workload.rate", "slo.ttft",
        "workload.input.quantiles.level[0]", "inline_model.kind[0].attention.heads",
        "deployment.tp", "experts.popularity.uniform", "", "a.b", "workload.arrivals.mmpp.state"});
    const auto value = *rc::gen::oneOf(
        rc::gen::arbitrary<std::string>(),
        rc::gen::elementOf(std::vector<std::string>{"1", "-1", "true", "{}", "[]", "{", "[1, 2]",
                                                    "5 req/s", "RAIL", "1e400", "nan"}));
    read_or_refuse(test::kSmall, Syntax::Text, {path + "=" + value});
  }));
}

}  // namespace
}  // namespace moesim::scenario
