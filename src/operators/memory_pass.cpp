#include "operators/memory_pass.h"

#include "core/check.h"
#include "operators/roofline.h"

namespace moesim::operators {

OperatorTime memory_pass_time(Bytes bytes, int kernels, const catalog::Gpu& gpu,
                              const Efficiency& efficiency) {
  MOESIM_CHECK(bytes >= Bytes{} && kernels >= 0, "a pass moves bytes");
  if (bytes == Bytes{}) return {.time = Seconds{}, .bound = Bound::Memory};
  return {.time = static_cast<double>(kernels) * efficiency.launch +
                  bytes / usable_bandwidth(gpu, efficiency),
          .bound = Bound::Memory};
}

}  // namespace moesim::operators
