// Draws requests from a workload model.
//
// Random streams: "workload.gap" (unit gaps, one stream per client), "workload.state" (Markov
// chain), "workload.modulation" (one per step) and "workload.length" (one per request number), all
// derived from one seed. So the lengths do not depend on the rate, nor on the kind of arrivals: the
// n-th request of a seed is always the same (common random numbers); another rate scales the gaps.
// Layer:   workload.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/random.h"
#include "core/time_windows.h"
#include "core/units.h"
#include "workload/model.h"
#include "workload/request_source.h"

namespace moesim::workload {

struct Lengths {
  std::int32_t input_tokens = 1;
  std::int32_t output_tokens = 1;
};

/// A law with the logarithms of its grid at hand.
struct PreparedLength {
  LengthLaw law = {};
  std::vector<double> log_tokens = {};  ///< Of a GridLength; empty for the others.
};

/// Lengths by request number, without arrivals: a closed loop asks for number n when it starts the
/// n-th request. Precondition: check_model(model) is empty.
class LengthSampler {
 public:
  LengthSampler(const WorkloadModel& model, std::uint64_t seed);
  /// Pure: the same number gives the same lengths in any order of calls.
  [[nodiscard]] Lengths at(std::int64_t number) const;

 private:
  PreparedLength input_;
  PreparedLength output_;
  double normal_correlation_ = 0.0;
  std::uint64_t seed_ = 0;
};

/// Length at probability `p` (0 < p < 1) of the law; at least 1.
[[nodiscard]] std::int32_t length_quantile(const LengthLaw& law, double p);

/// Mean of the law, for utilisation estimates before a run: by quadrature over 4,096 levels.
[[nodiscard]] double mean_length(const LengthLaw& law);

struct GenerateOptions {
  std::uint64_t seed = 1;
  /// Mean rate over the period of the curve; absent: the model's own.
  std::optional<PerSecond> rate = std::nullopt;
  double rate_scale = 1.0;   ///< 2.0 = twice the load.
  Seconds start = {};        ///< Where in the rate curve the run begins.
  TimeWindows windows = {};  ///< Of the calendar that the rate curve and its modulation follow.
  std::optional<Seconds> duration = std::nullopt;
  std::optional<std::int64_t> max_requests = std::nullopt;
};

/// True if the serving layer decides when the next request starts.
[[nodiscard]] bool is_closed_loop(const WorkloadModel& model);

/// Ends with `duration`, `max_requests` or the clock (104 days). A closed loop yields arrivals of
/// 0: the caller sets the time when a user becomes free. Preconditions: check_model(model) is
/// empty; a rate is given by model or options (closed loop excepted), finite and > 0.
[[nodiscard]] std::unique_ptr<RequestSource> make_generated_source(const WorkloadModel& model,
                                                                   const GenerateOptions& options);

}  // namespace moesim::workload
