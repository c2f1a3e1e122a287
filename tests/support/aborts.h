// For tests of MOESIM_CHECK: does this abort?
//
// Layer: tests.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>

namespace moesim::test {

/// Runs `action` in a child process; true if the child was ended by abort(). Its stderr is silent.
template <class Action>
[[nodiscard]] bool aborts(const Action& action) {
  const pid_t child = fork();
  if (child == 0) {
    if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(2);
    std::signal(SIGABRT, SIG_DFL);
    action();
    _exit(0);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
         WTERMSIG(status) == SIGABRT;
}

}  // namespace moesim::test
