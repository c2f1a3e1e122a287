// Compiled by ctest, never linked: each CASE but 0 must be refused by the compiler.
#include "core/ids.h"
#include "core/sim_time.h"
#include "core/units.h"

using namespace moesim;
using namespace moesim::literals;

int main() {
#if CASE == 0
  const Bytes sum = 1_GB + 1_GiB;
  const Seconds time = sum / 900_GBps;
  const SimTime clock = SimTime::from(time);
  return clock > SimTime() ? 0 : 1;
#elif CASE == 1
  auto sum = 1_GB + 1_s;
#elif CASE == 2
  Seconds time = 1.0;
#elif CASE == 3
  NodeId node = GpuId(1);
#elif CASE == 4
  bool less = 1_GB < 1_s;
#elif CASE == 5
  SimTime time = 1_s;
#endif
}
