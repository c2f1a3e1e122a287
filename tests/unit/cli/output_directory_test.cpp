#include "cli/output_directory.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "core/diagnostics.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

namespace moesim::cli {
namespace {

using moesim::test::contains_text;
namespace fs = std::filesystem;

TEST_CASE("OutputDirectory: makes the folder and replaces nothing unasked", "[cli]") {
  const test::TemporaryDirectory directory;
  const std::string folder = directory.file("a/b");
  const OutputDirectory first(folder, false, {"one.json"});
  first.write("one.json", "1");
  CHECK(fs::file_size(folder + "/one.json") == 1);
  CHECK_THROWS_AS(OutputDirectory(folder, false, {"one.json"}), IoError);
  CHECK_THROWS_WITH(OutputDirectory(folder, false, {"one.json"}),
                    contains_text("one.json: exists; give --overwrite"));
  // Other files in the folder do not matter, and --overwrite replaces.
  CHECK_NOTHROW(OutputDirectory(folder, false, {"two.json"}));
  const OutputDirectory again(folder, true, {"one.json"});
  again.write("one.json", "22");
  CHECK(fs::file_size(folder + "/one.json") == 2);
  CHECK_FALSE(fs::exists(folder + "/one.json.partial"));
  // A file where the folder should be.
  CHECK_THROWS_AS(OutputDirectory(folder + "/one.json", false, {}), IoError);
}

}  // namespace
}  // namespace moesim::cli
