#include "operators/expert_kernels.h"

#include <algorithm>

#include "core/math.h"

namespace moesim::operators {
namespace {

OperatorTime plain_time(const ExpertTimer& timer, std::span<const std::int32_t> slots) {
  ExpertLoad load;
  for (const std::int32_t tokens : slots) {
    load.tokens += tokens;
    load.experts_touched += tokens > 0 ? 1 : 0;
  }
  return timer.time(load);
}

}  // namespace

double distinct_tokens(double pairs, double group_tokens, double topk) {
  if (pairs <= 0.0 || group_tokens <= 0.0) return 0.0;
  const double miss = 1.0 - pairs / (topk * group_tokens);
  if (miss <= 0.0) return group_tokens;
  // Powers by squaring: topk is a small whole number.
  double all_miss = 1.0;
  double square = miss;
  for (auto k = static_cast<std::int64_t>(topk); k > 0; k >>= 1) {
    if ((k & 1) != 0) all_miss *= square;
    square *= square;
  }
  return std::clamp(group_tokens * (1.0 - all_miss), std::min(pairs / topk, group_tokens),
                    std::min(pairs, group_tokens));
}

OperatorTime ExpertKernels::time(std::span<const std::int32_t> slots,
                                 std::int64_t group_tokens) const {
  if (const auto* plain = std::get_if<ExpertTimer>(&kernel_)) return plain_time(*plain, slots);
  if (const auto* exchanged = std::get_if<DeepEpExpertCurve>(&kernel_)) {
    return exchanged->time(deepep_expert_load(slots, group_tokens, setting_.layout));
  }
  ExpertWork work;
  for (const std::int32_t tokens : slots) work.add_expert(tokens);
  const auto all = static_cast<double>(group_tokens);
  work.arrived = distinct_tokens(work.pairs, all, static_cast<double>(setting_.topk));
  work.looked_through = setting_.sorts_all ? std::max(all, work.arrived) : work.arrived;
  return std::get<ExpertCurve>(kernel_).time(work);
}

}  // namespace moesim::operators
