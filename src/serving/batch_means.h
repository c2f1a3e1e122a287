// Confidence intervals of what a run measures, by batch means, and when it has settled.
//
// Formula: a series is cut into B = 16 batches in order of time; with m_i the figure of batch i and
//          s their standard deviation, the half-width of the 95 % interval is
//          t_{0.975, B-1} s / sqrt(B) * sqrt((1 + r) / (1 - r)), where r is the correlation of
//          neighbouring batches if positive (at most 0.8), else 0.
//          Settled: the cut d that minimises MSER(d) = sum_{i>=d} (x_i - mean_d)^2 / (n - d)^2 over
//          the first half of the series.
// Source:  batch means and batch quantiles: Law, "Simulation modeling and analysis", 5th ed.,
//          section 9.5.3; MSER: White, "An effective truncation heuristic for bias reduction in
//          simulation output", 1997. The correction for correlation is that of a first-order
//          autoregressive series.
// Omits:   what is common to all batches: errors of the model, of a trace, of one seed's draws.
// Layer:   serving.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/sim_time.h"

namespace moesim::serving {

inline constexpr std::size_t kBatches = 16;

/// Of a figure per batch. Precondition: kBatches values.
[[nodiscard]] double half_width(std::span<const double> batches);
/// MSER's cut: how many values at the begin to leave out; at most half.
[[nodiscard]] std::size_t settled_from(std::span<const double> series);

/// Half-widths; nothing where batches are too small to tell.
struct HalfWidths {
  std::optional<double> mean, p50, p90, p95, p99;
};

/// Of values in order of time, in batches of equal count. A percentile needs so many values in a
/// batch that one lies above it.
[[nodiscard]] HalfWidths half_widths_ms(std::span<const SimTime> values);

struct Intervals {
  bool present = false;
  std::optional<double> requests_per_s, output_tokens_per_s, input_tokens_per_s, total_tokens_per_s,
      goodput_requests_per_s;
  HalfWidths ttft, tpot, itl, end_to_end;
  /// After the warm-up, by output tokens a second.
  std::optional<Seconds> settled_after{};
};

/// Counts of the measuring window in at most 128 equal slices of time, whose length doubles as the
/// run goes on. No allocation after construction.
class TimeSlices {
 public:
  struct Counts {
    std::int64_t requests = 0;
    std::int64_t good = 0;
    std::int64_t output_tokens = 0;
    std::int64_t input_tokens = 0;
  };
  TimeSlices();
  /// The slice of a time since the window opened; times do not decrease.
  [[nodiscard]] Counts& at(SimTime since);
  /// Gaps between tokens that end then.
  void add_gaps(SimTime since, SimTime length, std::int64_t count);
  /// Whole slices of a window of that length.
  [[nodiscard]] std::size_t whole(SimTime window) const;
  /// Fills rates and gaps of `to`, and when the run settled.
  void fill(SimTime window, Intervals& to) const;
  /// Whether output tokens a second and the mean gap are known to this share of themselves, after
  /// at least 64 slices, most of them settled, and ten requests completed in each batch. Looks
  /// again only when four slices have passed.
  [[nodiscard]] bool is_certain(SimTime window, double share);

 private:
  static constexpr std::size_t kSlices = 128;
  static constexpr std::size_t kBinsPerOctave = 32;
  static constexpr std::size_t kBins = 44 * kBinsPerOctave;  ///< 2^20 ps and less .. 2^64 ps.
  struct Gaps {
    std::int64_t count = 0;
    double sum_ms = 0;
  };
  [[nodiscard]] std::size_t index(SimTime since);
  void merge();
  [[nodiscard]] double width_s() const {
    return static_cast<double>(std::int64_t{1} << shift_) * 1e-12;
  }
  [[nodiscard]] std::vector<double> rates(std::size_t whole, std::int64_t Counts::*member) const;
  [[nodiscard]] std::optional<double> mean_gap(std::size_t first, std::size_t last) const;
  [[nodiscard]] std::optional<double> gap_percentile(std::size_t first, std::size_t last,
                                                     double percent) const;

  int shift_ = 30;  ///< A slice lasts 2^shift_ ps; at first about a millisecond.
  std::vector<Counts> counts_;
  std::vector<Gaps> gaps_;
  std::vector<std::int64_t> bins_;  ///< [slice * kBins + bin of the length]
  std::size_t looked_at_ = 0;
};

}  // namespace moesim::serving
