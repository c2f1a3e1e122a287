#include "operators/operator_time.h"

namespace moesim::operators {

using namespace moesim::literals;

// Sources and reasons, class by class: docs/models/operators.md.
EfficiencySet EfficiencySet::defaults() {
  return {
      .gemm = {.compute = 0.70, .memory = 0.80, .launch = 2.5_us},
      .grouped_gemm = {.compute = 0.50, .memory = 0.70, .launch = 10_us},
      .prefill_attention = {.compute = 0.55, .memory = 0.80, .launch = 5_us},
      .decode_attention = {.compute = 0.67, .memory = 0.80, .launch = 5_us},
      .memory_pass = {.compute = 1.0, .memory = 0.80, .launch = 2_us},
      .lm_head = {.compute = 0.70, .memory = 0.85, .launch = 2.5_us},
  };
}

}  // namespace moesim::operators
