#include "calibration/csv_table.h"

#include <string>
#include <utility>

#include "core/diagnostics.h"
#include "tests/support/catch.h"

namespace moesim::calibration {
namespace {

std::string problem_of(const std::string& text, void (*use)(const CsvTable&)) {
  try {
    use(CsvTable::parse(text, "t.csv"));
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

void nothing(const CsvTable& /*table*/) {}

}  // namespace

TEST_CASE("a table gives its cells by row and column") {
  const CsvTable table = CsvTable::parse("a,b\n1,x\r\n25,\n", "t.csv");
  CHECK(table.rows() == 2);
  CHECK(table.whole(1, table.column("a")) == 25);
  CHECK(table.text(0, table.column("b")) == "x");
  CHECK(table.text(1, table.column("b")).empty());
  CHECK_FALSE(table.positive_or_empty(1, table.column("b")).has_value());
  CHECK(table.line(1) == 3);
}

TEST_CASE("mistakes in a table are named with their place") {
  CHECK(problem_of("", nothing) ==
        "t.csv:1: error: the table is empty; the first line names the columns");
  CHECK(problem_of("a,b\n", nothing) ==
        "t.csv:1: error: the table has no rows; measurements follow the first line");
  CHECK(problem_of("a,a\n1,2\n", nothing) ==
        "t.csv:1: error: has the column \"a\" twice; rename one");
  CHECK(problem_of("a,b\n1,2\n1\n", nothing) ==
        "t.csv:3: error: has 1 cell, the first line names 2 columns; give every row one cell per "
        "column");
  CHECK(problem_of("a,b\n1,2\n", [](const CsvTable& t) { static_cast<void>(t.column("us")); }) ==
        "t.csv:1: error: us: there is no such column; the table has a, b");
  CHECK(problem_of("a,b\n1,fast\n", [](const CsvTable& t) {
          static_cast<void>(t.positive(0, t.column("b")));
        }) == "t.csv:2: error: b: is \"fast\"; give a number of at least 0");
  CHECK(problem_of("a,b\n1,0\n", [](const CsvTable& t) {
          static_cast<void>(t.positive(0, t.column("b")));
        }) == "t.csv:2: error: b: is \"0\"; give a number above 0");
  CHECK(problem_of("a,b\n-3,0\n", [](const CsvTable& t) {
          static_cast<void>(t.whole(0, t.column("a")));
        }) == "t.csv:2: error: a: is \"-3\"; give a whole number of at least 0");
  CHECK(problem_of("a,b\nnan,inf\n", [](const CsvTable& t) {
          static_cast<void>(t.number(0, t.column("a")));
        }) == "t.csv:2: error: a: is \"nan\"; give a number of at least 0");
}

TEST_CASE("numbers that no measurement has are refused") {
  const auto whole = [](const CsvTable& t) { static_cast<void>(t.whole(0, t.column("a"))); };
  CHECK(problem_of("a,b\n10000000,0\n", whole).empty());
  CHECK(problem_of("a,b\n10000001,0\n", whole) ==
        "t.csv:2: error: a: is \"10000001\"; give a whole number of at most 10000000");
  CHECK(problem_of("a,b\n99999999999999999999999,0\n", whole) ==
        "t.csv:2: error: a: is \"99999999999999999999999\"; give a whole number of at most "
        "10000000");
  CHECK(problem_of("a,b\n-99999999999999999999999,0\n", whole) ==
        "t.csv:2: error: a: is \"-99999999999999999999999\"; give a whole number of at least 0");
  const auto time = [](const CsvTable& t) { static_cast<void>(t.positive(0, t.column("a"))); };
  CHECK(problem_of("a\n1e999\n", time) ==
        "t.csv:2: error: a: is \"1e999\"; give a number of at least 0");
  CHECK(problem_of("a\n1e-300\n", time) ==
        "t.csv:2: error: a: is \"1e-300\"; give a measured number: 1e-6 to 1e15");
}

TEST_CASE("only plain text is a table") {
  CHECK(problem_of(std::string("a,b\n1,\0002\n", 9), nothing) ==
        "t.csv:2: error: holds a control character (byte 0x00); give plain text: numbers and words "
        "with commas between");
  CHECK(problem_of("a,b\n1\r5,2\n", nothing) ==
        "t.csv:2: error: holds a control character (byte 0x0d); give plain text: numbers and words "
        "with commas between");
  CHECK(problem_of("a,,b\n1,2,3\n", nothing) ==
        "t.csv:1: error: column 2 has no name; the first line names the columns");
  CHECK(problem_of(std::string(200, ','), nothing) ==
        "t.csv:1: error: more than 64 columns; is this the right file?");
  // Spreadsheets put a byte order mark before the text.
  CHECK(CsvTable::parse("\xEF\xBB\xBF"
                        "a,b\r\n1,2\r\n",
                        "t.csv")
            .has("a"));
}

TEST_CASE("a long cell is cut in errors") {
  const std::string problem =
      problem_of("a\n" + std::string(1000, 'x') + "\n",
                 [](const CsvTable& t) { static_cast<void>(t.number(0, t.column("a"))); });
  CHECK(problem ==
        "t.csv:2: error: a: is \"" + std::string(40, 'x') + "...\"; give a number of at least 0");
}

TEST_CASE("a table keeps its names where it is moved to") {
  CsvTable table = CsvTable::parse("a\n1\n", "t.csv");
  const CsvTable moved = std::move(table);
  CHECK(moved.whole(0, moved.column("a")) == 1);
}

}  // namespace moesim::calibration
