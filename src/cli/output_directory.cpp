#include "cli/output_directory.h"

#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "core/diagnostics.h"

namespace moesim::cli {

OutputDirectory::OutputDirectory(std::string path, bool overwrite,
                                 const std::vector<std::string>& files)
    : path_(std::move(path)) {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error || !std::filesystem::is_directory(path_, error)) {
    throw IoError(fmt::format("{}: cannot make the output folder: {}", path_,
                              error ? error.message() : "it is a file"));
  }
  if (overwrite) return;
  for (const std::string& file : files) {
    const auto target = std::filesystem::path(path_) / file;
    if (std::filesystem::exists(target)) {
      throw IoError(fmt::format("{}: exists; give --overwrite to replace it, or another folder",
                                target.string()));
    }
  }
}

void OutputDirectory::write(const std::string& file, const std::string& content) const {
  const auto target = std::filesystem::path(path_) / file;
  const auto temporary = std::filesystem::path(path_) / (file + ".partial");
  {
    std::ofstream stream(temporary, std::ios::binary | std::ios::trunc);
    stream.write(content.data(), static_cast<std::streamsize>(content.size()));
    stream.flush();
    if (!stream) throw IoError(fmt::format("{}: cannot be written", target.string()));
  }
  std::error_code error;
  std::filesystem::rename(temporary, target, error);
  if (error) throw IoError(fmt::format("{}: {}", target.string(), error.message()));
}

}  // namespace moesim::cli
