// Sequences that wait for a seat: in order of arrival, or by priority and then by arrival.
//
// One list through Sequence::younger for each priority there has been; without priorities there is
// one, and a sequence that comes back goes to its head.
// Layer: serving.
#pragma once

#include <cstdint>
#include <vector>

#include "serving/deployment.h"
#include "serving/sequence.h"

namespace moesim::serving {

/// Whether `a` is served before `b` by priority, then by arrival.
[[nodiscard]] bool goes_before(const Sequence& a, const Sequence& b);

class WaitingQueue {
 public:
  WaitingQueue(SchedulingPolicy policy, SequencePool& pool) : policy_(policy), pool_(&pool) {}

  /// A new one.
  void arrive(SequenceIndex index);
  /// One that had been admitted before.
  void come_back(SequenceIndex index);
  /// Who is next; kNoSequence if nobody waits.
  [[nodiscard]] SequenceIndex head() const { return head_; }
  void pop();
  [[nodiscard]] std::int64_t count() const { return count_; }
  /// Of their prompts, with what had been generated before a preemption.
  [[nodiscard]] std::int64_t tokens() const { return tokens_; }

 private:
  struct Level {
    std::int32_t priority = 0;
    SequenceIndex head = kNoSequence;
    SequenceIndex tail = kNoSequence;
  };
  [[nodiscard]] Level& level_of(const Sequence& sequence);
  void insert_after(Level& level, SequenceIndex before, SequenceIndex index);
  void insert_by_arrival(SequenceIndex index);
  void find_head();

  SchedulingPolicy policy_;
  SequencePool* pool_;
  std::vector<Level> levels_;  ///< By priority.
  SequenceIndex head_ = kNoSequence;
  std::int64_t count_ = 0;
  std::int64_t tokens_ = 0;
};

}  // namespace moesim::serving
