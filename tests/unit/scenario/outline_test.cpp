#include "scenario/outline.h"

#include "reading.h"
#include "tests/support/catch.h"

namespace moesim::scenario {
namespace {

using test::contains_text;
using test::kSmall;
using test::mistakes;

TEST_CASE("outline: mistakes of form end the walk and name their place") {
  CHECK_THAT(mistakes(""), contains_text("x.txtpb:1:1: error: the file is empty"));
  CHECK_THAT(mistakes("# only a comment\n"), contains_text("model: is missing"));
  CHECK_THAT(mistakes("cluster {\n  nodes: 1\n"),
             contains_text("x.txtpb:3:1: error: cluster: the file ends inside the block that "
                           "begins on line 1; is it truncated?"));
  CHECK_THAT(mistakes("cluster { nodes: "),
             contains_text("the file ends where a value is expected"));
  CHECK_THAT(mistakes("model: \"Llama"),
             contains_text("x.txtpb:1:8: error: model: a string has no closing quote on its line"));
  CHECK_THAT(mistakes("model = \"a\""), contains_text("expected ':' after the name, got \"=\""));
  CHECK_THAT(mistakes("}"), contains_text("this '}' closes no block"));
  CHECK_THAT(mistakes("model \"a\""), contains_text("expected ':' after the name"));
}

TEST_CASE("outline: mistakes of fields do not hide each other") {
  CHECK_THAT(mistakes("name: 5\n" + kSmall), contains_text("expected a text in quotes, got \"5\""));
  CHECK_THAT(mistakes("slo { ttft: 5 s }\n" + kSmall),
             contains_text("slo.ttft: expected a text in quotes, got \"5 s\"; write \"5 s\""));
  CHECK_THAT(mistakes("slo { ttft: 5 s tpot: 1e-3 req/s }\n" + kSmall),
             contains_text("slo.tpot: expected a text in quotes, got \"1e-3 req/s\""));
  CHECK(mistakes("slo: 5\n" + kSmall).find("missing") == std::string::npos);
  CHECK_THAT(mistakes("slo: 5\n" + kSmall), contains_text("slo: expected a block of fields"));
  CHECK_THAT(mistakes("name: { a: 1 }\n" + kSmall), contains_text("expected a single value"));
  CHECK_THAT(mistakes("name: [\"a\"]\n" + kSmall), contains_text("takes one value, got a list"));
  CHECK_THAT(mistakes("name:\n" + kSmall), contains_text("x.txtpb:1:1: error: name: has no value"));
  CHECK_THAT(mistakes(kSmall + "model: \"b\"\n"),
             contains_text("x.txtpb:6:1: error: model: is given twice, first on line 1"));
  CHECK_THAT(mistakes(kSmall + "huggingface_config: \"b\"\n"),
             contains_text("huggingface_config: excludes model, given on line 1"));
  CHECK_THAT(mistakes("experts { redundant_experts: \"4\" }\n" + kSmall),
             contains_text("redundant_experts: takes no text, got \"4\"; write it without quotes"));
  CHECK_THAT(mistakes("simulation { fidelity: exact }\n"),
             contains_text("expected EXACT or SAMPLED, got \"exact\"; did you mean \"EXACT\"?"));
}

TEST_CASE("outline: numbers must be finite, in range and of their kind") {
  const auto real = [](const std::string& value) {
    return mistakes("workload { rate_scale: " + value + " }");
  };
  CHECK_THAT(real("nan"), contains_text("must be a finite number, got nan"));
  CHECK_THAT(real("-inf"), contains_text("must be a finite number, got -inf"));
  CHECK_THAT(real("1e999"), contains_text("beyond the range of a double"));
  CHECK_THAT(real("0"), contains_text("must be at least 0.001 and at most 1e+06, got 0"));
  CHECK_THAT(real("fast"), contains_text("expected a number, got \"fast\""));
  const auto whole = [](const std::string& value) {
    return mistakes("cluster { nodes: " + value + " }");
  };
  CHECK_THAT(whole("1.5"), contains_text("expected a whole number, got \"1.5\""));
  CHECK_THAT(whole("-3"), contains_text("must be 1..16384, got -3"));
  CHECK_THAT(whole("1000000000000000000"), contains_text("must be 1..16384, got 10000000000"));
  CHECK_THAT(whole("99999999999999999999"),
             contains_text("beyond the range of a whole number of 64 bit"));
  CHECK_THAT(whole("010"), contains_text("expected a whole number"));
  CHECK_THAT(mistakes("simulation { seed: -1 }"), contains_text("must not be negative, got -1"));
}

TEST_CASE("outline: unknown fields are passed over whole, whatever they hold") {
  const std::string found =
      mistakes("nmae: \"x\" 'y'\nfoo { bar: [1, {a: 2}] baz < q: -1 > }\nzzz: -3\n" + kSmall);
  CHECK_THAT(found, contains_text("nmae: is no field of the schema; did you mean \"name\"?"));
  CHECK_THAT(found, contains_text("x.txtpb:2:1: error: foo: is no field"));
  CHECK_THAT(found, contains_text("x.txtpb:3:1: error: zzz: is no field"));
  std::string deep = "foo: ";
  for (int i = 0; i < 100000; ++i) deep += "{ a: ";
  CHECK_THAT(mistakes(deep), contains_text("nested deeper than 32 levels"));
}

TEST_CASE("outline: bytes that are no UTF-8 text are refused with their place") {
  CHECK_THAT(mistakes("name: \"caf\xe9\"\n"),
             contains_text("x.txtpb:1:11: error: the byte 0xe9 is not UTF-8 text"));
  CHECK_THAT(mistakes(std::string("na\0me", 5)),
             contains_text("x.txtpb:1:3: error: the byte 0x00"));
  CHECK_THAT(mistakes("\xff\xfen\0a\0"), contains_text("the file is UTF-16"));
  CHECK_THAT(mistakes("name: \"\\377\"\n" + kSmall), contains_text("no UTF-8 text"));
  CHECK(mistakes("\xef\xbb\xbf" + kSmall) == "");
  CHECK_THAT(mistakes(std::string(17U << 20U, ' ')), contains_text("larger than 16 MiB"));
}

TEST_CASE("outline: no more than a hundred mistakes are listed") {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "oops: 1\n";
  CHECK_THAT(mistakes(text), contains_text("more mistakes are not shown"));
}

}  // namespace
}  // namespace moesim::scenario
