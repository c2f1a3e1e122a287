#include "operators/grouped_gemm.h"

#include "core/check.h"
#include "operators/roofline.h"

namespace moesim::operators {

ExpertTimer::ExpertTimer(const ExpertShape& shape, const catalog::WeightFormat& weights,
                         Bytes activation_element, const catalog::Gpu& gpu,
                         const Efficiency& efficiency)
    : launch_(efficiency.launch) {
  MOESIM_CHECK(shape.hidden > 0 && shape.intermediate > 0 && shape.matrices > 0,
               "an expert has matrices");
  const auto hidden = static_cast<double>(shape.hidden);
  const auto intermediate = static_cast<double>(shape.intermediate);
  const auto matrices = static_cast<double>(shape.matrices);
  const double weight_count = matrices * hidden * intermediate;
  const FlopsPerSecond rate = usable_rate(gpu, weights.math, efficiency);
  const BytesPerSecond bandwidth = usable_bandwidth(gpu, efficiency);
  // Activations: the up kernel reads hidden and writes (matrices - 1) intermediates, the activation
  // reads those and writes one, the down kernel reads that one and writes hidden.
  const double activations = 2.0 * hidden + 2.0 * matrices * intermediate;
  seconds_per_token_compute_ = 2.0 * weight_count * kFlop / rate / kSecond;
  seconds_per_expert_memory_ = weight_count * weights.bytes_per_weight() / bandwidth / kSecond;
  seconds_per_token_memory_ = activations * activation_element / bandwidth / kSecond;
}

OperatorTime ExpertTimer::time(const ExpertLoad& load) const {
  MOESIM_DCHECK(load.tokens >= load.experts_touched && load.experts_touched >= 0,
                "an expert touched has a token");
  if (load.tokens == 0) return {};
  const auto tokens = static_cast<double>(load.tokens);
  const auto experts = static_cast<double>(load.experts_touched);
  return roofline(
      launch_, tokens * seconds_per_token_compute_ * kSecond,
      (experts * seconds_per_expert_memory_ + tokens * seconds_per_token_memory_) * kSecond);
}

}  // namespace moesim::operators
