#include "report/text_layout.h"

#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace moesim::report {
namespace {

using Lines = std::vector<std::string>;

TEST_CASE("wrapped: breaks at blanks, and words that are too long anywhere", "[report]") {
  CHECK(wrapped("one two three", 7) == Lines{"one two", "three"});
  CHECK(wrapped("one\ntwo", 20) == Lines{"one two"});
  CHECK(wrapped("", 5) == Lines{""});
  CHECK(wrapped("abcdefgh", 3) == Lines{"abc", "def", "gh"});
  CHECK(wrapped("a abcdefgh b", 3) == Lines{"a", "abc", "def", "gh", "b"});
  // Widths count characters, not bytes.
  CHECK(wrapped("\u00e9\u00e9\u00e9\u00e9", 2) == Lines{"\u00e9\u00e9", "\u00e9\u00e9"});
}

TEST_CASE("left and right: fill up and never cut", "[report]") {
  CHECK(left("ab", 4) == "ab  ");
  CHECK(right("ab", 4) == "  ab");
  CHECK(right("abcde", 4) == "abcde");
  CHECK(left("\u00b5s", 4) == "\u00b5s  ");
}

TEST_CASE("labelled: continues below the text, within the page", "[report]") {
  const std::string page = labelled("note", std::string(60, 'x') + " " + std::string(60, 'y'));
  CHECK(page ==
        "note        " + std::string(60, 'x') + "\n            " + std::string(60, 'y') + "\n");
}

TEST_CASE("csv: quotes what would end a field", "[report]") {
  CHECK(csv_field("plain") == "plain");
  CHECK(csv_field("a,b") == "\"a,b\"");
  CHECK(csv_field("say \"hi\"") == "\"say \"\"hi\"\"\"");
  CHECK(csv_field("two\nlines") == "\"two\nlines\"");
  CHECK(csv_row({"a", "b,c", ""}) == "a,\"b,c\",\n");
}

}  // namespace
}  // namespace moesim::report
