// Collects what happens during a run and sums it up at the end.
//
// Layer: serving.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "serving/batch_means.h"
#include "serving/deployment.h"
#include "serving/rank_scheduler.h"
#include "serving/run_result.h"

namespace moesim::serving {

/// Mean and percentiles; the values are sorted on the way.
[[nodiscard]] Distribution distribution(std::vector<SimTime>& values);

class Recorder final : public StepListener {
 public:
  /// `classes`: those of the requests; empty: all have the limits `slo`.
  Recorder(const SloLimits& slo, const RunSettings& run, std::vector<ServiceClass> classes = {})
      : slo_(slo), run_(run), classes_(std::move(classes)) {}

  void at(SimTime now) { now_ = now; }
  void arrived() { ++arrived_; }
  void rejected() { ++rejected_; }
  void gaps(SimTime length, std::int64_t count) override;
  void first_token(const Sequence& sequence, SimTime now) override;
  void finished(const Sequence& sequence, SimTime now) override;
  void prefilled(SequenceIndex index, const Sequence&, SimTime) override {
    prefilled_.push_back(index);
  }
  /// Prompts that left their rank since the last time.
  [[nodiscard]] std::vector<SequenceIndex> take_prefilled() {
    return std::exchange(prefilled_, {});
  }

  [[nodiscard]] std::int64_t completed() const {
    return static_cast<std::int64_t>(records_.size());
  }
  /// The i-th that completed.
  [[nodiscard]] const RequestRecord& record(std::int64_t i) const {
    return records_[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] std::int64_t tokens_emitted() const { return tokens_emitted_; }
  /// Of the requests that are complete.
  [[nodiscard]] std::int64_t tokens_completed() const { return tokens_completed_; }
  /// What is counted lies between these; `end`: when the last request finished.
  [[nodiscard]] std::pair<SimTime, SimTime> window(SimTime end) const {
    return {run_.warm_up, std::min(end, run_.duration)};
  }
  /// Leaves the recorder empty. `gpus`: held on average in the window.
  [[nodiscard]] Summary summarise(double gpus, SimTime end);
  /// One entry for each class, before the records are taken. In class_summary.cpp.
  [[nodiscard]] std::vector<ClassSummary> summarise_classes(SimTime end) const;
  [[nodiscard]] std::vector<RequestRecord> take_records() { return std::move(records_); }
  [[nodiscard]] double mean_kv_wait_ms() const;
  /// Closes the measuring window now if what was asked for is known well enough. True once closed.
  [[nodiscard]] bool close_if_certain();
  [[nodiscard]] bool closed() const { return closed_; }

 private:
  [[nodiscard]] bool counts() const { return now_ >= run_.warm_up && now_ <= run_.duration; }
  [[nodiscard]] bool meets_slo(const RequestRecord& record) const;
  void merge_gaps();
  void fill_latencies(Intervals& intervals) const;
  /// Since the window opened.
  [[nodiscard]] SimTime since() const { return now_ - run_.warm_up; }

  SloLimits slo_;
  RunSettings run_;
  std::vector<ServiceClass> classes_;
  SimTime now_;
  std::int64_t arrived_ = 0;
  std::int64_t rejected_ = 0;
  std::int64_t tokens_emitted_ = 0;
  std::int64_t tokens_completed_ = 0;
  std::int64_t finished_ = 0;       ///< Requests that ended inside the measuring window.
  std::int64_t finished_good_ = 0;  ///< Those that met every limit.
  std::int64_t output_tokens_ = 0;  ///< Inside the measuring window.
  std::int64_t input_tokens_ = 0;
  std::vector<SequenceIndex> prefilled_;
  TimeSlices slices_;
  bool closed_ = false;
  std::vector<RequestRecord> records_;
  std::vector<std::pair<SimTime, std::int64_t>> gaps_;  ///< (length, count)
};

}  // namespace moesim::serving
