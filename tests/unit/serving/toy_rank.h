// A rank of one lane, driven by hand: every iteration takes 1 ms.
#pragma once

#include <vector>

#include "serving/rank_scheduler.h"

namespace moesim::test {

using namespace moesim::literals;

struct Ended final : serving::StepListener {
  void gaps(SimTime, std::int64_t) override {}
  void first_token(const serving::Sequence& s, SimTime) override { begun.push_back(s.request); }
  void finished(const serving::Sequence& s, SimTime) override {
    requests.push_back(s.request);
    preempted.push_back(s.preemptions);
  }
  std::vector<std::int64_t> begun, requests;
  std::vector<std::int32_t> preempted;
};

/// Blocks of 4 tokens, 8 seats, 64 tokens an iteration.
inline serving::SchedulerSettings toy_settings(
    serving::SchedulingPolicy policy = serving::SchedulingPolicy::Fcfs) {
  serving::SchedulerSettings s;
  s.max_num_seqs = 8;
  s.max_num_batched_tokens = 64;
  s.block_size = 4;
  s.policy = policy;
  return s;
}

class Rank {
 public:
  Rank(const serving::SchedulerSettings& settings, std::int64_t blocks)
      : scheduler(settings, blocks, 1, {}, pool_) {}

  void add(std::int64_t request, std::int32_t priority, std::int32_t input, std::int32_t output) {
    const serving::SequenceIndex index = pool_.take();
    serving::Sequence& s = pool_[index];
    s.request = request;
    s.priority = priority;
    s.arrival = now_;
    s.input_tokens = s.prefill_target = input;
    s.output_tokens = output;
    scheduler.enqueue(index);
  }
  serving::RankBatch step() {
    serving::RankBatch batch = scheduler.plan(0, now_);
    now_ += SimTime::from(1_ms);
    scheduler.finish(0, now_, ended);
    return batch;
  }
  /// The iterations until nothing is left, at most 1000.
  std::vector<serving::RankBatch> run() {
    std::vector<serving::RankBatch> batches;
    for (int i = 0; i < 1000 && scheduler.has_work(0); ++i) batches.push_back(step());
    return batches;
  }
  Ended ended;

 private:
  serving::SequencePool pool_;

 public:
  serving::RankScheduler scheduler;

 private:
  SimTime now_;
};

}  // namespace moesim::test
