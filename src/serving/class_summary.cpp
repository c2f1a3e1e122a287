// What each class of requests has seen.
#include <algorithm>

#include "serving/recorder.h"

namespace moesim::serving {

std::vector<ClassSummary> Recorder::summarise_classes(SimTime end) const {
  struct Latencies {
    std::vector<SimTime> ttft, tpot, end_to_end;
    std::int64_t good = 0;
    std::int64_t finished = 0;  ///< Inside the measuring window.
    std::int64_t finished_good = 0;
  };
  std::vector<ClassSummary> summaries(classes_.size());
  std::vector<Latencies> seen(classes_.size());
  if (classes_.empty()) return summaries;
  for (const RequestRecord& r : records_) {
    const auto at = static_cast<std::size_t>(r.service_class);
    ClassSummary& summary = summaries[at];
    Latencies& of = seen[at];
    const bool good = meets_slo(r);
    ++summary.requests_completed;
    summary.preemptions += r.preemptions;
    if (r.finish >= run_.warm_up && r.finish <= run_.duration) {
      ++of.finished;
      if (good) ++of.finished_good;
    }
    if (r.arrival < run_.warm_up) continue;
    ++summary.requests_measured;
    if (good) ++of.good;
    of.ttft.push_back(r.ttft());
    if (r.output_tokens > 1) of.tpot.push_back(r.tpot());
    of.end_to_end.push_back(r.end_to_end());
  }
  const SimTime close = std::min(end, run_.duration);
  const double seconds = close > run_.warm_up ? (close - run_.warm_up).seconds() / kSecond : 0.0;
  for (std::size_t i = 0; i < classes_.size(); ++i) {
    ClassSummary& s = summaries[i];
    s.name = classes_[i].name;
    s.priority = classes_[i].priority;
    s.ttft = distribution(seen[i].ttft);
    s.tpot = distribution(seen[i].tpot);
    s.end_to_end = distribution(seen[i].end_to_end);
    if (s.requests_measured > 0) {
      s.slo_attainment =
          static_cast<double>(seen[i].good) / static_cast<double>(s.requests_measured);
    }
    if (seconds <= 0.0) continue;
    s.requests_per_s = static_cast<double>(seen[i].finished) / seconds;
    s.goodput_requests_per_s = static_cast<double>(seen[i].finished_good) / seconds;
  }
  return summaries;
}

}  // namespace moesim::serving
