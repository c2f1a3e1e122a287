#include "cli/output_file.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "core/diagnostics.h"
#include "core/regular_file.h"

namespace moesim::cli {

OutputFile::OutputFile(std::string path, bool overwrite)
    : path_(std::move(path)), temporary_(path_ + ".partial") {
  check_regular_file(path_);
  std::error_code error;
  if (!overwrite && std::filesystem::exists(path_, error)) {
    throw IoError(
        fmt::format("{}: exists; give --overwrite to replace it, or another name", path_));
  }
  check_regular_file(temporary_);
  stream_.open(temporary_, std::ios::binary | std::ios::trunc);
  if (!stream_) throw IoError(fmt::format("{}: cannot be written", path_));
}

OutputFile::~OutputFile() {
  if (committed_) return;
  stream_.close();
  std::error_code error;
  std::filesystem::remove(temporary_, error);
}

void OutputFile::commit() {
  stream_.close();
  if (!stream_) throw IoError(fmt::format("{}: cannot be written", path_));
  std::error_code error;
  std::filesystem::rename(temporary_, path_, error);
  if (error) throw IoError(fmt::format("{}: {}", path_, error.message()));
  committed_ = true;
}

}  // namespace moesim::cli
