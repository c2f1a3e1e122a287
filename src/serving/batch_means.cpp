#include "serving/batch_means.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "core/check.h"
#include "core/percentile.h"

namespace moesim::serving {
namespace {

/// Student's t for 15 degrees of freedom at 0.975.
constexpr double kStudent = 2.13145;
constexpr double kMostCorrelated = 0.8;
constexpr std::size_t kSlicesToTrust = 64;
/// Completed in each batch.
constexpr std::int64_t kRequestsToTrust = 10;
constexpr std::size_t kSlicesBetweenLooks = 4;

std::size_t bin_of(std::int64_t picoseconds) {
  const auto x = static_cast<std::uint64_t>(std::max<std::int64_t>(picoseconds, 1 << 20));
  const auto octave = static_cast<std::size_t>(std::bit_width(x)) - 21;
  const auto part = static_cast<std::size_t>((x >> (octave + 15)) & 31U);
  return octave * 32 + part;
}

/// Lower end of a bin.
double bin_ms(std::size_t bin) {
  const double octave = static_cast<double>(std::uint64_t{1} << (bin / 32)) * 1048576.0;
  return octave * (1.0 + static_cast<double>(bin % 32) / 32.0) * 1e-9;
}

double mean_of(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

double half_width(std::span<const double> batches) {
  MOESIM_CHECK(batches.size() == kBatches, "as many batches as the table of Student's t is for");
  const double mean = mean_of(batches);
  double squares = 0;
  double neighbours = 0;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    squares += (batches[i] - mean) * (batches[i] - mean);
    if (i > 0) neighbours += (batches[i] - mean) * (batches[i - 1] - mean);
  }
  if (squares <= 0.0) return 0.0;
  const double r = std::clamp(neighbours / squares, 0.0, kMostCorrelated);
  const auto n = static_cast<double>(kBatches);
  return kStudent * std::sqrt(squares / (n - 1.0) / n) * std::sqrt((1.0 + r) / (1.0 - r));
}

std::size_t settled_from(std::span<const double> series) {
  const std::size_t n = series.size();
  std::size_t best = 0;
  double least = 0;
  double sum = 0;
  double squares = 0;
  // From the end, so that each cut costs O(1).
  for (std::size_t d = n; d-- > 0;) {
    sum += series[d];
    squares += series[d] * series[d];
    const auto left = static_cast<double>(n - d);
    if (d > n / 2) continue;
    const double mser = std::max(0.0, squares - sum * sum / left) / (left * left);
    if (d == n / 2 || mser <= least) {
      least = mser;
      best = d;
    }
  }
  return best;
}

HalfWidths half_widths_ms(std::span<const SimTime> values) {
  HalfWidths widths;
  const std::size_t each = values.size() / kBatches;
  if (each < 2) return widths;
  constexpr std::array<double, 4> kPercents{50, 90, 95, 99};
  std::array<std::array<double, kBatches>, 5> figures{};
  std::vector<SimTime> batch;
  for (std::size_t b = 0; b < kBatches; ++b) {
    const auto part = values.subspan(b * each, each);
    batch.assign(part.begin(), part.end());
    std::sort(batch.begin(), batch.end());
    for (const SimTime v : batch) figures[4][b] += v.milliseconds() / static_cast<double>(each);
    for (std::size_t p = 0; p < kPercents.size(); ++p) {
      figures[p][b] = percentile(batch, kPercents[p]).milliseconds();
    }
  }
  const auto n = static_cast<double>(each);
  const auto of = [&](std::size_t p) -> std::optional<double> {
    if (n * (100.0 - kPercents[p]) < 100.0) return std::nullopt;
    return half_width(figures[p]);
  };
  widths.mean = half_width(figures[4]);
  widths.p50 = of(0);
  widths.p90 = of(1);
  widths.p95 = of(2);
  widths.p99 = of(3);
  return widths;
}

TimeSlices::TimeSlices() : counts_(kSlices), gaps_(kSlices), bins_(kSlices * kBins, 0) {}

std::size_t TimeSlices::index(SimTime since) {
  const std::int64_t t = std::max<std::int64_t>(0, since.picoseconds());
  while ((t >> shift_) >= static_cast<std::int64_t>(kSlices)) merge();
  return static_cast<std::size_t>(t >> shift_);
}

void TimeSlices::merge() {
  for (std::size_t i = 0; i < kSlices; ++i) {
    const std::size_t to = i / 2;
    if (i == to) continue;
    const bool first = i % 2 == 0;
    if (first) {
      counts_[to] = {};
      gaps_[to] = {};
    }
    counts_[to].requests += counts_[i].requests;
    counts_[to].good += counts_[i].good;
    counts_[to].output_tokens += counts_[i].output_tokens;
    counts_[to].input_tokens += counts_[i].input_tokens;
    gaps_[to].count += gaps_[i].count;
    gaps_[to].sum_ms += gaps_[i].sum_ms;
    for (std::size_t b = 0; b < kBins; ++b) {
      std::int64_t& bin = bins_[to * kBins + b];
      bin = (first ? 0 : bin) + bins_[i * kBins + b];
    }
  }
  std::fill(counts_.begin() + kSlices / 2, counts_.end(), Counts{});
  std::fill(gaps_.begin() + kSlices / 2, gaps_.end(), Gaps{});
  std::fill(bins_.begin() + static_cast<std::ptrdiff_t>(kSlices / 2 * kBins), bins_.end(), 0);
  ++shift_;
  looked_at_ = 0;
}

TimeSlices::Counts& TimeSlices::at(SimTime since) { return counts_[index(since)]; }

void TimeSlices::add_gaps(SimTime since, SimTime length, std::int64_t count) {
  const std::size_t slice = index(since);
  gaps_[slice].count += count;
  gaps_[slice].sum_ms += static_cast<double>(count) * length.milliseconds();
  bins_[slice * kBins + bin_of(length.picoseconds())] += count;
}

std::size_t TimeSlices::whole(SimTime window) const {
  const std::int64_t slices = std::max<std::int64_t>(0, window.picoseconds()) >> shift_;
  return std::min(kSlices, static_cast<std::size_t>(slices));
}

std::vector<double> TimeSlices::rates(std::size_t whole, std::int64_t Counts::*member) const {
  std::vector<double> per_second(whole);
  const double seconds = width_s();
  for (std::size_t i = 0; i < whole; ++i) {
    per_second[i] = static_cast<double>(counts_[i].*member) / seconds;
  }
  return per_second;
}

std::optional<double> TimeSlices::mean_gap(std::size_t first, std::size_t last) const {
  Gaps all;
  for (std::size_t i = first; i < last; ++i) {
    all.count += gaps_[i].count;
    all.sum_ms += gaps_[i].sum_ms;
  }
  if (all.count == 0) return std::nullopt;
  return all.sum_ms / static_cast<double>(all.count);
}

/// Evenly spread inside a bin of 2 to 3 %.
std::optional<double> TimeSlices::gap_percentile(std::size_t first, std::size_t last,
                                                 double percent) const {
  std::int64_t count = 0;
  for (std::size_t i = first; i < last; ++i) count += gaps_[i].count;
  if (static_cast<double>(count) * (100.0 - percent) < 100.0) return std::nullopt;
  double left = percent / 100.0 * static_cast<double>(count);
  for (std::size_t b = 0; b < kBins; ++b) {
    std::int64_t here = 0;
    for (std::size_t i = first; i < last; ++i) here += bins_[i * kBins + b];
    const auto n = static_cast<double>(here);
    if (here > 0 && n >= left) return bin_ms(b) + (bin_ms(b + 1) - bin_ms(b)) * left / n;
    left -= n;
  }
  return bin_ms(kBins);
}

void TimeSlices::fill(SimTime window, Intervals& to) const {
  const std::size_t slices = whole(window);
  const std::size_t each = slices / kBatches;
  if (each == 0) return;
  to.present = true;
  // Of a figure of the slices first .. last of each batch; nothing if one batch has none.
  const auto interval = [&](const auto& figure) -> std::optional<double> {
    std::array<double, kBatches> values{};
    for (std::size_t b = 0; b < kBatches; ++b) {
      const std::optional<double> value = figure(b * each, (b + 1) * each);
      if (!value) return std::nullopt;
      values[b] = *value;
    }
    return half_width(values);
  };
  const auto rate = [&](std::int64_t Counts::*member) {
    const std::vector<double> per_second = rates(slices, member);
    return interval([&](std::size_t first, std::size_t last) -> std::optional<double> {
      return mean_of(std::span(per_second).subspan(first, last - first));
    });
  };
  to.requests_per_s = rate(&Counts::requests);
  to.goodput_requests_per_s = rate(&Counts::good);
  to.output_tokens_per_s = rate(&Counts::output_tokens);
  to.input_tokens_per_s = rate(&Counts::input_tokens);
  const std::vector<double> in = rates(slices, &Counts::input_tokens);
  const std::vector<double> out = rates(slices, &Counts::output_tokens);
  to.total_tokens_per_s =
      interval([&](std::size_t first, std::size_t last) -> std::optional<double> {
        return mean_of(std::span(in).subspan(first, last - first)) +
               mean_of(std::span(out).subspan(first, last - first));
      });
  to.itl.mean = interval([&](std::size_t a, std::size_t b) { return mean_gap(a, b); });
  const auto gap = [&](double percent) {
    return interval([&](std::size_t a, std::size_t b) { return gap_percentile(a, b, percent); });
  };
  to.itl.p50 = gap(50);
  to.itl.p90 = gap(90);
  to.itl.p95 = gap(95);
  to.itl.p99 = gap(99);
  to.settled_after = static_cast<double>(settled_from(out)) * width_s() * kSecond;
}

bool TimeSlices::is_certain(SimTime window, double share) {
  const std::size_t slices = whole(window);
  if (slices < kSlicesToTrust || slices < looked_at_ + kSlicesBetweenLooks) return false;
  looked_at_ = slices;
  const std::vector<double> out = rates(slices, &Counts::output_tokens);
  if (settled_from(out) > slices / 4) return false;
  // Fewer would not tell a run from its beginning.
  const std::size_t each = slices / kBatches;
  for (std::size_t b = 0; b < kBatches; ++b) {
    std::int64_t ended = 0;
    for (std::size_t i = b * each; i < (b + 1) * each; ++i) ended += counts_[i].requests;
    if (ended < kRequestsToTrust) return false;
  }
  const double mean = mean_of(out);
  const std::optional<double> gap = mean_gap(0, slices);
  Intervals known;
  fill(window, known);
  return gap && known.itl.mean && *known.itl.mean <= share * *gap &&
         *known.output_tokens_per_s <= share * mean;
}

}  // namespace moesim::serving
