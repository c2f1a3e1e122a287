#include "core/check.h"
#include "cost/pricing.h"

namespace moesim::cost {

Bill bill(const Pricing& pricing, double gpus, double input_tokens_per_s,
          double output_tokens_per_s, double input_share) {
  MOESIM_CHECK(input_share >= 0.0 && input_share <= 1.0, "a share of the bill outside 0..1");
  constexpr double kSecondsPerHour = 3600.0;
  Bill b;
  b.usd_per_hour = pricing.per_gpu.base() * kSecondsPerHour * gpus;
  b.usd_per_month = b.usd_per_hour * pricing.hours_per_month;
  const double usd_per_s = pricing.per_gpu.base() * gpus;
  if (input_tokens_per_s > 0) {
    b.usd_per_million_input_tokens = usd_per_s * input_share / input_tokens_per_s * 1e6;
  }
  if (output_tokens_per_s > 0) {
    b.usd_per_million_output_tokens = usd_per_s * (1 - input_share) / output_tokens_per_s * 1e6;
    b.usd_per_million_output_tokens_all_in = usd_per_s / output_tokens_per_s * 1e6;
  }
  return b;
}

}  // namespace moesim::cost
