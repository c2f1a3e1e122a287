#include "serving/recorder.h"

#include <algorithm>

#include "core/check.h"
#include "core/percentile.h"

namespace moesim::serving {
namespace {

constexpr std::size_t kMergeGapsAt = std::size_t{1} << 22;

}  // namespace

Distribution distribution(std::vector<SimTime>& values) {
  Distribution d;
  if (values.empty()) return d;
  std::sort(values.begin(), values.end());
  double sum = 0;
  for (const SimTime v : values) sum += v.milliseconds();
  d.mean_ms = sum / static_cast<double>(values.size());
  d.p50_ms = percentile(values, 50).milliseconds();
  d.p90_ms = percentile(values, 90).milliseconds();
  d.p95_ms = percentile(values, 95).milliseconds();
  d.p99_ms = percentile(values, 99).milliseconds();
  return d;
}

namespace {

Distribution distribution_of_counts(const std::vector<std::pair<SimTime, std::int64_t>>& sorted) {
  Distribution d;
  if (sorted.empty()) return d;
  double sum = 0;
  double count = 0;
  for (const auto& [length, n] : sorted) {
    sum += length.milliseconds() * static_cast<double>(n);
    count += static_cast<double>(n);
  }
  d.mean_ms = sum / count;
  d.p50_ms = percentile_of_counts(sorted, 50).milliseconds();
  d.p90_ms = percentile_of_counts(sorted, 90).milliseconds();
  d.p95_ms = percentile_of_counts(sorted, 95).milliseconds();
  d.p99_ms = percentile_of_counts(sorted, 99).milliseconds();
  return d;
}

}  // namespace

void Recorder::gaps(SimTime length, std::int64_t count) {
  tokens_emitted_ += count;
  if (!counts()) return;
  output_tokens_ += count;
  slices_.at(since()).output_tokens += count;
  slices_.add_gaps(since(), length, count);
  if (!gaps_.empty() && gaps_.back().first == length) {
    gaps_.back().second += count;
    return;
  }
  if (gaps_.size() >= kMergeGapsAt) merge_gaps();
  gaps_.emplace_back(length, count);
}

void Recorder::merge_gaps() {
  std::sort(gaps_.begin(), gaps_.end());
  std::size_t kept = 0;
  for (std::size_t i = 1; i < gaps_.size(); ++i) {
    if (gaps_[i].first == gaps_[kept].first) {
      gaps_[kept].second += gaps_[i].second;
    } else {
      gaps_[++kept] = gaps_[i];
    }
  }
  if (!gaps_.empty()) gaps_.resize(kept + 1);
}

void Recorder::first_token(const Sequence& sequence, SimTime) {
  ++tokens_emitted_;
  if (!counts()) return;
  ++output_tokens_;
  input_tokens_ += sequence.input_tokens;
  TimeSlices::Counts& slice = slices_.at(since());
  ++slice.output_tokens;
  slice.input_tokens += sequence.input_tokens;
}

void Recorder::finished(const Sequence& sequence, SimTime now) {
  MOESIM_CHECK(sequence.generated == sequence.output_tokens, "a request ended with tokens missing");
  records_.push_back({.number = sequence.request,
                      .arrival = sequence.arrival,
                      .first_token = sequence.first_token,
                      .finish = now,
                      .kv_wait = sequence.kv_wait,
                      .input_tokens = sequence.input_tokens,
                      .output_tokens = sequence.output_tokens,
                      .preemptions = sequence.preemptions,
                      .service_class = sequence.service_class});
  tokens_completed_ += sequence.output_tokens;
  if (!counts()) return;
  ++finished_;
  TimeSlices::Counts& slice = slices_.at(since());
  ++slice.requests;
  if (!meets_slo(records_.back())) return;
  ++finished_good_;
  ++slice.good;
}

bool Recorder::meets_slo(const RequestRecord& r) const {
  const SloLimits slo =
      classes_.empty() ? slo_
                       : classes_[static_cast<std::size_t>(r.service_class)].slo.value_or(slo_);
  return r.ttft() <= slo.ttft && r.tpot() <= slo.tpot && r.end_to_end() <= slo.end_to_end;
}

double Recorder::mean_kv_wait_ms() const {
  if (records_.empty()) return 0;
  double sum = 0;
  for (const RequestRecord& r : records_) sum += r.kv_wait.milliseconds();
  return sum / static_cast<double>(records_.size());
}

void Recorder::fill_latencies(Intervals& intervals) const {
  std::vector<const RequestRecord*> by_arrival;
  by_arrival.reserve(records_.size());
  for (const RequestRecord& r : records_) {
    if (r.arrival >= run_.warm_up) by_arrival.push_back(&r);
  }
  std::stable_sort(
      by_arrival.begin(), by_arrival.end(),
      [](const RequestRecord* a, const RequestRecord* b) { return a->arrival < b->arrival; });
  std::vector<SimTime> ttft, tpot, end_to_end;
  for (const RequestRecord* r : by_arrival) {
    ttft.push_back(r->ttft());
    if (r->output_tokens > 1) tpot.push_back(r->tpot());
    end_to_end.push_back(r->end_to_end());
  }
  intervals.ttft = half_widths_ms(ttft);
  intervals.tpot = half_widths_ms(tpot);
  intervals.end_to_end = half_widths_ms(end_to_end);
}

bool Recorder::close_if_certain() {
  if (closed_ || run_.stop_at_half_width <= 0.0 || !counts()) return closed_;
  closed_ = slices_.is_certain(since(), run_.stop_at_half_width);
  if (closed_) run_.duration = now_;
  return closed_;
}

Summary Recorder::summarise(double gpus, SimTime end) {
  Summary s;
  s.requests_arrived = arrived_;
  s.requests_completed = completed();
  s.requests_rejected = rejected_;
  std::vector<SimTime> ttft, tpot, end_to_end;
  ttft.reserve(records_.size());
  tpot.reserve(records_.size());
  end_to_end.reserve(records_.size());
  std::int64_t good = 0;
  for (const RequestRecord& r : records_) {
    if (r.arrival < run_.warm_up) continue;
    ++s.requests_measured;
    ttft.push_back(r.ttft());
    if (r.output_tokens > 1) tpot.push_back(r.tpot());
    end_to_end.push_back(r.end_to_end());
    if (meets_slo(r)) ++good;
  }
  if (s.requests_measured > 0) {
    s.slo_attainment = static_cast<double>(good) / static_cast<double>(s.requests_measured);
  }
  const SimTime close = window(end).second;
  slices_.fill(close - run_.warm_up, s.intervals);
  if (s.intervals.present) fill_latencies(s.intervals);
  s.ttft = distribution(ttft);
  s.tpot = distribution(tpot);
  s.end_to_end = distribution(end_to_end);
  std::sort(gaps_.begin(), gaps_.end());
  s.itl = distribution_of_counts(gaps_);
  if (close <= run_.warm_up) return s;
  s.measured = (close - run_.warm_up).seconds();
  const double seconds = s.measured / kSecond;
  s.requests_per_s = static_cast<double>(finished_) / seconds;
  s.output_tokens_per_s = static_cast<double>(output_tokens_) / seconds;
  s.input_tokens_per_s = static_cast<double>(input_tokens_) / seconds;
  s.total_tokens_per_s = s.output_tokens_per_s + s.input_tokens_per_s;
  s.tokens_per_s_per_gpu = s.output_tokens_per_s / gpus;
  s.tokens_per_s_per_user = s.tpot.mean_ms > 0 ? 1000.0 / s.tpot.mean_ms : 0.0;
  s.goodput_requests_per_s = static_cast<double>(finished_good_) / seconds;
  return s;
}

}  // namespace moesim::serving
