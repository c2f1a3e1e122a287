// Preempted sequences on the host: out when blocks run out, back before new prompts begin.
#include <algorithm>

#include "serving/rank_scheduler.h"

namespace moesim::serving {

/// False: there is nothing to keep, or no room for it.
bool RankScheduler::swap_out(Lane& lane, SequenceIndex index) {
  Sequence& s = (*pool_)[index];
  if (std::find(lane.loading.begin(), lane.loading.end(), index) != lane.loading.end())
    return false;
  // Of a prompt what has been computed is kept; its other blocks are empty.
  const std::int64_t held = s.decoding ? lane.decode.blocks_of(s) : s.blocks;
  const std::int64_t kept = s.decoding ? held : blocks_for(s.prefilled);
  if (kept == 0 || !swap_->put(kept)) return false;
  kv_.leave(pool_->prompt(index), s, held);
  if (s.decoding) {
    s.generated += lane.decode.leave(index, s);
    if (std::erase(lane.fresh, index) == 0) s.last_token = lane.last_decode_end;
  } else {
    std::erase(lane.prefilling, index);
  }
  unlink(lane, index);
  s.blocks = 0;
  s.swapped = static_cast<std::int32_t>(kept);
  lane.swapped_blocks += s.swapped;
  ++s.preemptions;
  ++preemptions_;
  swapped_.come_back(index);
  return true;
}

/// Those of the host, in their order, that fit with what they need next.
void RankScheduler::swap_in(Lane& lane, std::int64_t& budget) {
  if (preemptions_ > preemptions_before_plan_) return;
  while (swapped_.count() > 0 && lane.running < lane.seats) {
    const SequenceIndex index = swapped_.head();
    const Sequence& s = (*pool_)[index];
    const bool decodes = s.prefilled == s.prefill_target;
    if (budget < (decodes ? lane.queries() : 1)) return;
    // A step adds 1 + window tokens at most; a prompt must not be sent away again for want of room.
    const std::int64_t context =
        s.input_tokens + s.generated - 1 + 2 * settings_.speculation.window();
    const std::int64_t need =
        decodes ? blocks_for(context + 1) : blocks_held_at(s, s.prefill_target);
    if (need > kv_.available() - lane.blocks_needed()) return;
    swapped_.pop();
    seat_swapped(lane, index, budget);
  }
}

void RankScheduler::seat_swapped(Lane& lane, SequenceIndex index, std::int64_t& budget) {
  Sequence& s = (*pool_)[index];
  swap_->take(s.swapped);
  kv_.take(s.swapped);
  lane.swapped_blocks += s.swapped;
  link(lane, index);
  if (s.prefilled == s.prefill_target) {
    lane.decode.join(index, s, s.input_tokens + s.generated - 1, s.output_tokens - s.generated);
    lane.fresh.push_back(index);
    budget -= lane.queries();
  } else {
    s.blocks = s.swapped;
    lane.prefilling.push_back(index);
    const auto tokens =
        static_cast<std::int32_t>(std::min<std::int64_t>(budget, s.prefill_target - s.prefilled));
    const bool whole = s.prefilled + tokens == s.prefill_target;
    if (settings_.prompts_apart || (!settings_.enable_chunked_prefill && !whole)) {
      // Its turn comes with the next iteration of prompts.
    } else {
      add_chunk(lane, index, tokens);
      budget -= tokens;
    }
  }
  s.swapped = 0;
}

}  // namespace moesim::serving
