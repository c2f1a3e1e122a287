#include "workload/statistics.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/percentile.h"

namespace moesim::workload {
namespace {

double to_seconds(SimTime time) { return time.milliseconds() * 1e-3; }

LengthSummary summarize_lengths(const std::vector<std::int32_t>& sorted) {
  LengthSummary summary;
  if (sorted.empty()) return summary;
  for (const std::int32_t length : sorted) summary.total += length;
  summary.mean = static_cast<double>(summary.total) / static_cast<double>(sorted.size());
  summary.p50 = percentile(sorted, 50.0);
  summary.p90 = percentile(sorted, 90.0);
  summary.p95 = percentile(sorted, 95.0);
  summary.p99 = percentile(sorted, 99.0);
  summary.max = sorted.back();
  return summary;
}

struct Moments {
  double mean = 0.0;
  double variance = 0.0;
};

Moments moments_of(const std::vector<double>& values) {
  Moments moments;
  if (values.empty()) return moments;
  const auto n = static_cast<double>(values.size());
  for (const double value : values) moments.mean += value / n;
  for (const double value : values) {
    moments.variance += (value - moments.mean) * (value - moments.mean) / n;
  }
  return moments;
}

}  // namespace

double gap_cv(std::span<const Request> requests) {
  std::vector<double> gaps;
  for (std::size_t i = 1; i < requests.size(); ++i) {
    gaps.push_back(to_seconds(requests[i].arrival - requests[i - 1].arrival));
  }
  const Moments moments = moments_of(gaps);
  return moments.mean > 0.0 ? std::sqrt(moments.variance) / moments.mean : 0.0;
}

double dispersion(std::span<const Request> requests, SimTime bin) {
  MOESIM_CHECK(bin.picoseconds() > 0, "a bin has a length");
  if (requests.empty()) return 0.0;
  const SimTime first = requests.front().arrival;
  const std::int64_t span = (requests.back().arrival - first).picoseconds();
  std::vector<double> counts(static_cast<std::size_t>(span / bin.picoseconds()), 0.0);
  for (const Request& request : requests) {
    const auto index =
        static_cast<std::size_t>((request.arrival - first).picoseconds() / bin.picoseconds());
    if (index < counts.size()) counts[index] += 1.0;
  }
  const Moments moments = moments_of(counts);
  return moments.mean > 0.0 ? moments.variance / moments.mean : 0.0;
}

std::vector<std::int32_t> sorted_inputs(std::span<const Request> requests) {
  std::vector<std::int32_t> lengths;
  lengths.reserve(requests.size());
  for (const Request& request : requests) lengths.push_back(request.input_tokens);
  std::sort(lengths.begin(), lengths.end());
  return lengths;
}

std::vector<std::int32_t> sorted_outputs(std::span<const Request> requests) {
  std::vector<std::int32_t> lengths;
  lengths.reserve(requests.size());
  for (const Request& request : requests) lengths.push_back(request.output_tokens);
  std::sort(lengths.begin(), lengths.end());
  return lengths;
}

TraceSummary summarize(std::span<const Request> requests) {
  TraceSummary summary;
  summary.requests = static_cast<std::int64_t>(requests.size());
  if (requests.empty()) return summary;
  summary.span = requests.back().arrival - requests.front().arrival;
  if (summary.span.picoseconds() > 0) {
    summary.mean_rate_per_s = static_cast<double>(summary.requests - 1) / to_seconds(summary.span);
  }
  for (std::size_t i = 1; i < requests.size(); ++i) {
    if (requests[i].arrival == requests[i - 1].arrival) ++summary.equal_arrivals;
  }
  summary.gap_cv = gap_cv(requests);
  summary.input = summarize_lengths(sorted_inputs(requests));
  summary.output = summarize_lengths(sorted_outputs(requests));
  return summary;
}

}  // namespace moesim::workload
