#include "core/regular_file.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/diagnostics.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

namespace moesim {
namespace {

namespace fs = std::filesystem;

/// What is said of a path; "" if it passes.
std::string refusal(const std::string& path) {
  try {
    check_regular_file(path);
  } catch (const IoError& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("regular file: devices, pipes and folders are refused, also through a link") {
  const test::TemporaryDirectory directory;
  const fs::path folder = directory.path();
  const std::string pipe = (folder / "pipe").string();
  const std::string file = (folder / "file").string();
  const std::string link = (folder / "link").string();
  const std::string good_link = (folder / "good").string();
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  std::ofstream(file) << "x";
  fs::create_symlink("/dev/zero", link);
  fs::create_symlink(file, good_link);
  CHECK(refusal("/dev/zero") == "/dev/zero: is a device, not a file");
  CHECK(refusal(link) == link + ": is a device, not a file");
  CHECK(refusal(pipe) == pipe + ": is a pipe, not a file");
  CHECK(refusal(folder.string()) == folder.string() + ": is a folder, not a file");
  CHECK(refusal(file).empty());
  CHECK(refusal(good_link).empty());
  CHECK(refusal((folder / "nothing").string()).empty());
}

}  // namespace
}  // namespace moesim
