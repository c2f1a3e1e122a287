#include "cli/progress.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include <fmt/format.h>

namespace moesim::cli {

using namespace std::chrono_literals;

Progress::Progress(std::string what, bool quiet)
    : what_(std::move(what)),
      quiet_(quiet),
      terminal_(isatty(STDERR_FILENO) != 0),
      start_(Clock::now()),
      next_(start_ + 1s) {}

Progress::~Progress() { finish(); }

void Progress::update(double share, const std::string& detail) {
  if (quiet_) return;
  const auto now = Clock::now();
  if (now < next_) return;
  next_ = now + (terminal_ ? 200ms : 5s);
  draw(share, detail);
}

void Progress::draw(double share, const std::string& detail) {
  const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  if (!terminal_) {
    const std::string percent = share >= 0 ? fmt::format("{:.0f} %, ", 100 * share) : "";
    fmt::print(stderr, "{}: {}{}, {:.0f} s\n", what_, percent, detail, seconds);
    return;
  }
  std::string bar;
  if (share >= 0) {
    constexpr int kWidth = 24;
    const int filled = static_cast<int>(share * kWidth);
    bar = fmt::format("[{}{}] {:3.0f} % ", std::string(static_cast<std::size_t>(filled), '#'),
                      std::string(static_cast<std::size_t>(kWidth - filled), '.'), 100 * share);
  }
  fmt::print(stderr, "\r\033[K{} {}{}, {:.0f} s", what_, bar, detail, seconds);
  std::fflush(stderr);
  drawn_ = true;
}

void Progress::finish() {
  if (!drawn_) return;
  fmt::print(stderr, "\r\033[K");
  std::fflush(stderr);
  drawn_ = false;
}

}  // namespace moesim::cli
