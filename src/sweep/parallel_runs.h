// Runs independent pieces of work on all cores.
//
// Results go to places of their own, so nothing depends on the number of threads or their timing.
// Layer: sweep.
#pragma once

#include <cstdint>
#include <functional>

namespace moesim::sweep {

/// Told how many of how many pieces are done; calls never overlap.
using CountProgress = std::function<void(std::int64_t done, std::int64_t all)>;

/// Calls work(0) .. work(count - 1), each once, on `jobs` threads (0: all cores). `work` must be
/// safe to call from several threads with different numbers. If calls throw, the exception of the
/// smallest number is thrown after all have returned.
void run_parallel(std::int64_t count, int jobs, const std::function<void(std::int64_t)>& work,
                  const CountProgress& progress = {});

}  // namespace moesim::sweep
