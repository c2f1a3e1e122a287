// Sequences that pass from a rank that prefills to one that decodes.
#include <algorithm>

#include "core/check.h"
#include "serving/rank_scheduler.h"

namespace moesim::serving {

void StepListener::prefilled(SequenceIndex, const Sequence&, SimTime) {
  MOESIM_CHECK(false, "a prompt is handed over to nobody");
}

void RankScheduler::hand_over(Lane& lane, SequenceIndex index, SimTime now,
                              StepListener& listener) {
  Sequence& s = (*pool_)[index];
  s.generated = 1;
  unlink(lane, index);
  --requests_;
  ++leaving_;
  listener.prefilled(index, s, now);
}

void RankScheduler::release(SequenceIndex index) {
  Sequence& s = (*pool_)[index];
  MOESIM_CHECK(leaving_ > 0, "blocks of a sequence are released that was not handed over");
  --leaving_;
  kv_.leave(pool_->prompt(index), s, s.blocks);
  s.blocks = 0;
}

std::int64_t RankScheduler::blocks_to_receive(std::int64_t input) const {
  return blocks_for(input + settings_.speculation.window());
}

bool RankScheduler::can_reserve(const Sequence& sequence) const {
  const std::int64_t free = kv_.available() - (guarantees() ? promised_ : 0);
  const std::int64_t need =
      guarantees() ? promise_for(sequence) : blocks_to_receive(sequence.input_tokens);
  // Those that were preempted here come first.
  return waiting_.count() == 0 && swapped_.count() == 0 && requests_ < settings_.max_num_seqs &&
         need <= free;
}

void RankScheduler::reserve(const Sequence& sequence) {
  const std::int64_t blocks = blocks_to_receive(sequence.input_tokens);
  kv_.take(blocks);
  if (guarantees()) promised_ += promise_for(sequence) - blocks;
  ++requests_;
  ++expected_;
}

void RankScheduler::receive(SequenceIndex index) {
  MOESIM_CHECK(expected_ > 0, "a sequence arrives for which nothing is reserved");
  --expected_;
  received_.push_back(index);
}

void RankScheduler::seat_received(Lane& lane) {
  const std::int64_t seats = std::min(lane.seats, fair_share());
  std::size_t seated = 0;
  while (seated < received_.size() && lane.running < seats) {
    const SequenceIndex index = received_[seated++];
    Sequence& s = (*pool_)[index];
    s.prefilled = s.prefill_target;
    s.blocks = 0;  // While it decodes the set counts them.
    if (guarantees()) s.promised = static_cast<std::int32_t>(promise_for(s));
    link(lane, index);
    lane.decode.join(index, s, s.prefill_target, s.output_tokens - s.generated);
    lane.fresh.push_back(index);
  }
  received_.erase(received_.begin(), received_.begin() + static_cast<std::ptrdiff_t>(seated));
}

}  // namespace moesim::serving
