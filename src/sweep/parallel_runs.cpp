#include "sweep/parallel_runs.h"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <cstddef>
#include <exception>
#include <mutex>
#include <vector>

#include "core/check.h"

namespace moesim::sweep {

void run_parallel(std::int64_t count, int jobs, const std::function<void(std::int64_t)>& work,
                  const CountProgress& progress) {
  MOESIM_CHECK(jobs >= 0 && count >= 0, "a negative number of threads or pieces of work");
  const int threads = jobs > 0 ? jobs : tbb::info::default_concurrency();
  std::vector<std::exception_ptr> thrown(static_cast<std::size_t>(count));
  std::mutex mutex;
  std::int64_t done = 0;
  const auto one = [&](std::int64_t number) {
    try {
      work(number);
    } catch (...) {
      thrown[static_cast<std::size_t>(number)] = std::current_exception();
    }
    if (!progress) return;
    const std::lock_guard lock(mutex);
    progress(++done, count);
  };
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<std::size_t>(threads));
  tbb::task_arena arena(threads);
  arena.execute([&] {
    tbb::parallel_for(
        tbb::blocked_range<std::int64_t>(0, count, 1),
        [&](const tbb::blocked_range<std::int64_t>& range) {
          for (std::int64_t number = range.begin(); number < range.end(); ++number) one(number);
        },
        tbb::simple_partitioner());
  });
  for (const std::exception_ptr& e : thrown) {
    if (e) std::rethrow_exception(e);
  }
}

}  // namespace moesim::sweep
