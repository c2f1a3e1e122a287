#include "core/regular_file.h"

#include <filesystem>
#include <system_error>

#include "core/diagnostics.h"

namespace moesim {

void check_regular_file(const std::string& path) {
  using Kind = std::filesystem::file_type;
  std::error_code code;
  const Kind kind = std::filesystem::status(path, code).type();
  const char* what = nullptr;
  if (kind == Kind::directory) {
    what = "a folder";
  } else if (kind == Kind::character || kind == Kind::block) {
    what = "a device";
  } else if (kind == Kind::fifo) {
    what = "a pipe";
  } else if (kind == Kind::socket) {
    what = "a socket";
  }
  if (what != nullptr) throw IoError(path + ": is " + what + ", not a file");
}

}  // namespace moesim
