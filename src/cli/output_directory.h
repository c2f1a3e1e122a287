// Where result files go: a folder that is made when needed and never overwritten unasked.
//
// Layer: cli.
#pragma once

#include <string>
#include <vector>

namespace moesim::cli {

class OutputDirectory {
 public:
  /// Creates the folder. Throws IoError if one of `files` exists in it and `overwrite` is false,
  /// or if the folder cannot be made: before the work, not after it.
  OutputDirectory(std::string path, bool overwrite, const std::vector<std::string>& files);
  /// Writes a whole file under a temporary name and renames it, so that a reader never sees half
  /// of it. Throws IoError.
  void write(const std::string& file, const std::string& content) const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace moesim::cli
