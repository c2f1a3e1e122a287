#include "core/diagnostics.h"

#include "core/check.h"
#include "tests/support/aborts.h"
#include "tests/support/catch.h"

namespace moesim {
namespace {

TEST_CASE("Diagnostic: all parts, in the form compilers use", "[core][oracle]") {
  const Diagnostic d{.file = "a.txtpb",
                     .line = 12,
                     .column = 3,
                     .field = "cluster.nodes[0].gpus",
                     .message = "must be at least 1, got -1",
                     .hint = "give the number of GPUs of one node"};
  CHECK(
      to_string(d) ==
      "a.txtpb:12:3: error: cluster.nodes[0].gpus: must be at least 1, got -1; give the number of "
      "GPUs of one node");
}

TEST_CASE("Diagnostic: parts not known leave no punctuation behind", "[core][oracle]") {
  CHECK(to_string({.message = "no input"}) == "error: no input");
  CHECK(to_string({.file = "a", .message = "empty"}) == "a: error: empty");
  CHECK(to_string({.file = "a", .line = 4, .message = "odd"}) == "a:4: error: odd");
  CHECK(to_string({.field = "seed", .message = "odd"}) == "error: seed: odd");
}

TEST_CASE("Diagnostic: one line whatever the message holds", "[core]") {
  CHECK(to_string({.message = "a\nb\r\nc"}) == "error: a b  c");
}

TEST_CASE("InputError: carries all diagnostics, one per line of what()", "[core]") {
  const InputError error(std::vector<Diagnostic>{{.file = "a", .line = 1, .message = "x"},
                                                 {.file = "b", .message = "y"}});
  CHECK(error.diagnostics().size() == 2);
  CHECK(std::string(error.what()) == "a:1: error: x\nb: error: y");
  CHECK(InputError(Diagnostic{.message = "z"}).diagnostics().front().message == "z");
}

TEST_CASE("MOESIM_CHECK: aborts when false and only then", "[core]") {
  CHECK(test::aborts([] { MOESIM_CHECK(1 + 1 == 3, "arithmetic"); }));
  CHECK_FALSE(test::aborts([] { MOESIM_CHECK(1 + 1 == 2, "arithmetic"); }));
}

}  // namespace
}  // namespace moesim
