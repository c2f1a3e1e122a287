#include "workload/line_reader.h"

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "core/diagnostics.h"
#include "tests/support/catch.h"

namespace moesim::workload {
namespace {

struct Seen {
  std::string text;
  std::int64_t number;
  bool oversized;
  friend bool operator==(const Seen&, const Seen&) = default;
};

std::vector<Seen> all_lines(LineReader reader) {
  std::vector<Seen> seen;
  while (const auto line = reader.next()) {
    seen.push_back({std::string(line->text), line->number, line->oversized});
  }
  return seen;
}

/// A file of the test's own, removed with it.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content)
      : path_((std::filesystem::temp_directory_path() /
               ("moesim_line_reader_" + std::to_string(std::random_device{}()) + ".txt"))
                  .string()) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST_CASE("LineReader: drops byte order mark and both kinds of line end", "[workload]") {
  const std::vector<Seen> expected{{"a", 1, false}, {"", 2, false}, {"b", 3, false}};
  CHECK(all_lines(LineReader("\xEF\xBB\xBF"
                             "a\r\n\nb")) == expected);
  CHECK(all_lines(LineReader("")).empty());
}

TEST_CASE("LineReader: a line above 1 MiB is marked and passed over", "[workload]") {
  const std::string huge(kMaxLineBytes + 1, 'x');
  const std::string text = "a\n" + huge + huge + huge + "\nb\n" + std::string(kMaxLineBytes, 'y');
  const std::vector<Seen> expected{
      {"a", 1, false}, {"", 2, true}, {"b", 3, false}, {std::string(kMaxLineBytes, 'y'), 4, false}};
  CHECK(all_lines(LineReader(text)) == expected);
  const TemporaryFile file(text);
  CHECK(all_lines(LineReader::open(file.path())) == expected);
}

TEST_CASE("LineReader: a file gives the lines that memory gives", "[workload]") {
  // About 3 MiB, so that lines cross the borders of the pieces.
  std::string text = "\xEF\xBB\xBF";
  for (int i = 0; i < 60'000; ++i)
    text += std::string(static_cast<std::size_t>(i % 97), 'z') + "\n";
  text += "last";
  const TemporaryFile file(text);
  CHECK(all_lines(LineReader::open(file.path())) == all_lines(LineReader(text)));
}

TEST_CASE("LineReader: a file that is not there is an IoError", "[workload]") {
  CHECK_THROWS_AS(LineReader::open("/no/such/trace.csv"), IoError);
}

}  // namespace
}  // namespace moesim::workload
