// One output file: checked before the work, written beside its name, renamed when whole.
//
// Layer: cli.
#pragma once

#include <fstream>
#include <string>

namespace moesim::cli {

class OutputFile {
 public:
  /// Throws IoError if `path` is a device, a pipe or a folder, if it exists and `overwrite` is
  /// false, or if nothing can be written beside it.
  OutputFile(std::string path, bool overwrite);
  /// Leaves nothing behind unless commit() was called.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  [[nodiscard]] std::ostream& stream() { return stream_; }
  /// What was written takes its name. Throws IoError.
  void commit();
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
  std::string temporary_;
  std::ofstream stream_;
  bool committed_ = false;
};

}  // namespace moesim::cli
