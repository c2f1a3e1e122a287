// Times of arrival: renewal processes of unit rate, time-changed by a piecewise constant rate.
//
// Layer: workload (internal).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "workload/generator.h"
#include "workload/model.h"

namespace moesim::workload {

/// Strategy: one stream of arrivals, or the sum of those of many clients.
class ArrivalStream {
 public:
  virtual ~ArrivalStream() = default;
  /// Seconds since the start of the run, ascending; empty beyond the clock.
  [[nodiscard]] virtual std::optional<double> next() = 0;
};

/// Precondition: as make_generated_source; not a closed loop.
[[nodiscard]] std::unique_ptr<ArrivalStream> make_arrival_stream(const WorkloadModel& model,
                                                                 const GenerateOptions& options);

/// Mean rate of a pool over its period.
[[nodiscard]] PerSecond mean_rate(const ClientPool& pool);

/// Stationary mean rate of the chain.
[[nodiscard]] PerSecond mean_rate(const Mmpp& chain);

/// Gamma function for x >= 1; relative error below 1e-12 up to x = 30.
[[nodiscard]] double gamma_function(double x);

}  // namespace moesim::workload
