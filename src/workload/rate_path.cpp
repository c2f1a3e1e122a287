#include "workload/rate_path.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "core/math.h"
#include "workload/arrivals.h"

namespace moesim::workload {
namespace {

/// Of sampled time, in s: the calendar ends after 100 days.
constexpr double kLastChange = 8.64e6;

/// Index drawn with the given probabilities; the last one takes what rounding leaves.
std::size_t draw_index(std::span<const double> probabilities, double u) {
  double sum = 0.0;
  for (std::size_t i = 0; i + 1 < probabilities.size(); ++i) {
    sum += probabilities[i];
    if (u < sum) return i;
  }
  return probabilities.size() - 1;
}

}  // namespace

RatePath::RatePath(const WorkloadModel& model, PerSecond base, Seconds start,
                   const TimeWindows& windows, std::uint64_t seed)
    : base_(base.base()),
      start_(start.base()),
      windows_(windows),
      curve_(model.curve),
      modulation_(model.modulation),
      state_stream_(seed, "workload.state"),
      modulation_stream_(seed, "workload.modulation") {
  if (curve_) {
    curve_step_ = static_cast<std::int64_t>(std::floor(start_ / curve_->step.base()));
    enter_curve_step();
  }
  if (modulation_) {
    sigma_ = std::sqrt(math::log(1.0 + modulation_->cv * modulation_->cv));
    enter_modulation_step();
  }
  if (const auto* chain = std::get_if<Mmpp>(&model.arrivals)) {
    chain_ = *chain;
    base_ /= mean_rate(*chain).base();
    enter_bin();
  }
}

double RatePath::reached(double calendar) const {
  if (!windows_.on()) return calendar;
  if (calendar > kLastChange) return kNever;
  return windows_.run(SimTime::from(Seconds::from_base(calendar))).seconds().base();
}

void RatePath::enter_curve_step() {
  const auto steps = static_cast<std::int64_t>(curve_->multiplier.size());
  curve_factor_ = curve_->multiplier[static_cast<std::size_t>(curve_step_ % steps)];
  curve_end_ = reached(static_cast<double>(curve_step_ + 1) * curve_->step.base() - start_);
}

void RatePath::enter_modulation_step() {
  ++modulation_step_;
  modulation_factor_ = math::exp(sigma_ * modulation_stream_.normal() - 0.5 * sigma_ * sigma_);
  modulation_end_ = reached(static_cast<double>(modulation_step_ + 1) * modulation_->step.base());
}

void RatePath::enter_bin() {
  const double u = state_stream_.uniform();
  state_ = draw_index(bin_ < 0 ? chain_->stationary : chain_->transition[state_], u);
  ++bin_;
  state_factor_ = chain_->rates[state_].base();
  bin_end_ = static_cast<double>(bin_ + 1) * chain_->bin.base();
}

RateSegment RatePath::next() {
  const RateSegment segment{
      .end = std::min({curve_end_, modulation_end_, bin_end_}),
      .per_second = base_ * curve_factor_ * modulation_factor_ * state_factor_};
  if (curve_ && curve_end_ <= segment.end) {
    ++curve_step_;
    enter_curve_step();
  }
  if (modulation_ && modulation_end_ <= segment.end) enter_modulation_step();
  if (chain_ && bin_end_ <= segment.end) enter_bin();
  return segment;
}

}  // namespace moesim::workload
