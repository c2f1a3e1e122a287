// Progress of long work on stderr: a bar on a terminal, plain lines otherwise, nothing when quick.
//
// Reads the host's clock; never touches a result.
// Layer: cli.
#pragma once

#include <chrono>
#include <string>

namespace moesim::cli {

class Progress {
 public:
  /// `quiet`: print nothing at all.
  Progress(std::string what, bool quiet);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `share` of the work done, 0..1, or below 0 if unknown. Cheap; prints a few times a second.
  void update(double share, const std::string& detail);
  /// Clears the bar.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void draw(double share, const std::string& detail);

  std::string what_;
  bool quiet_;
  bool terminal_;
  bool drawn_ = false;
  Clock::time_point start_;
  Clock::time_point next_;
};

}  // namespace moesim::cli
