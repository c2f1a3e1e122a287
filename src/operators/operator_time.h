// The time of one operator on one GPU and what bounds it; efficiencies of the roofline.
//
// Model:   t = launch + max(flops / (peak * e_compute), bytes / (bandwidth * e_memory)).
// Source:  Williams, Waterman, Patterson, "Roofline", CACM 52(4), 2009; the efficiencies and where
//          curves take the roofline's place: docs/models/operators.md.
// Layer:   operators.
#pragma once

#include "core/units.h"

namespace moesim::operators {

/// Which side of the roofline decided the time; Launch: neither, but fixed costs and the length of
/// the longest chain of steps.
enum class Bound { Compute, Memory, Launch };

struct OperatorTime {
  Seconds time{};
  Bound bound = Bound::Compute;
};

/// Achievable share of the two roofs, and the fixed cost of starting a kernel, per operator class.
struct Efficiency {
  double compute = 1.0;
  double memory = 1.0;
  Seconds launch{};
};

/// Roofs of all operators: what stands where no curve was fitted or none is wanted. One set per
/// run; figures and sources: docs/models/operators.md.
struct EfficiencySet {
  Efficiency gemm;
  Efficiency grouped_gemm;
  Efficiency prefill_attention;
  Efficiency decode_attention;
  Efficiency memory_pass;
  Efficiency lm_head;
  [[nodiscard]] static EfficiencySet defaults();
};

/// Operators that take the plain roofline although a curve is there.
struct RooflineOnly {
  bool gemm = false;
  bool grouped_gemm = false;
  bool prefill_attention = false;
  bool decode_attention = false;
  bool lm_head = false;
};

}  // namespace moesim::operators
