#include "serving/rank_scheduler.h"

#include <algorithm>

#include "core/check.h"
#include "operators/attention.h"

namespace moesim::serving {

RankScheduler::RankScheduler(const SchedulerSettings& settings, std::int64_t kv_blocks,
                             std::int64_t lanes, std::span<const ContextLaw> laws,
                             SequencePool& pool)
    : settings_(settings),
      laws_(laws.begin(), laws.end()),
      pool_(&pool),
      total_blocks_(kv_blocks),
      free_blocks_(kv_blocks) {
  lanes_.reserve(static_cast<std::size_t>(lanes));
  for (std::int64_t i = 0; i < lanes; ++i) {
    lanes_.emplace_back(settings, laws);
    lanes_.back().seats =
        settings.max_num_seqs / lanes + (i < settings.max_num_seqs % lanes ? 1 : 0);
  }
}

void RankScheduler::enqueue(SequenceIndex index) {
  ++requests_;
  ++waiting_count_;
  (*pool_)[index].younger = kNoSequence;
  if (waiting_tail_ == kNoSequence) {
    waiting_head_ = index;
  } else {
    (*pool_)[waiting_tail_].younger = index;
  }
  waiting_tail_ = index;
}

void RankScheduler::push_waiting_front(SequenceIndex index) {
  ++waiting_count_;
  (*pool_)[index].younger = waiting_head_;
  waiting_head_ = index;
  if (waiting_tail_ == kNoSequence) waiting_tail_ = index;
}

void RankScheduler::pop_waiting() {
  --waiting_count_;
  waiting_head_ = (*pool_)[waiting_head_].younger;
  if (waiting_head_ == kNoSequence) waiting_tail_ = kNoSequence;
}

std::int64_t RankScheduler::fair_share() const {
  const auto lanes = static_cast<std::int64_t>(lanes_.size());
  return (requests_ + lanes - 1) / lanes;
}

std::int64_t RankScheduler::blocks_held_at(const Sequence& s, std::int64_t prefilled) const {
  const bool decodes_next = prefilled == s.prefill_target && s.generated + 1 < s.output_tokens;
  return blocks_for(prefilled + (decodes_next ? settings_.speculation.window() : 0));
}

void RankScheduler::take_blocks(std::int64_t n) {
  free_blocks_ -= n;
  MOESIM_CHECK(free_blocks_ >= 0, "more KV blocks taken than there are");
  peak_blocks_ = std::max(peak_blocks_, total_blocks_ - free_blocks_);
}

void RankScheduler::note_head_blocked(SimTime now, bool blocked) {
  if (blocked_head_ != kNoSequence && (!blocked || blocked_head_ != waiting_head_)) {
    (*pool_)[blocked_head_].kv_wait += now - blocked_since_;
    blocked_head_ = kNoSequence;
  }
  if (blocked && blocked_head_ == kNoSequence) {
    blocked_head_ = waiting_head_;
    blocked_since_ = now;
  }
}

void RankScheduler::link(Lane& lane, SequenceIndex index) {
  Sequence& s = (*pool_)[index];
  s.older = lane.youngest;
  s.younger = kNoSequence;
  (lane.youngest == kNoSequence ? lane.oldest : (*pool_)[lane.youngest].younger) = index;
  lane.youngest = index;
  ++lane.running;
}

void RankScheduler::unlink(Lane& lane, SequenceIndex index) {
  const Sequence& s = (*pool_)[index];
  (s.older == kNoSequence ? lane.oldest : (*pool_)[s.older].younger) = s.younger;
  (s.younger == kNoSequence ? lane.youngest : (*pool_)[s.younger].older) = s.older;
  --lane.running;
}

void RankScheduler::preempt_youngest(Lane& lane) {
  const SequenceIndex index = lane.youngest;
  Sequence& s = (*pool_)[index];
  if (s.decoding) {
    free_blocks_ += lane.decode.blocks_of(s);
    s.generated += lane.decode.leave(index, s);
    if (std::erase(lane.fresh, index) == 0) s.last_token = lane.last_decode_end;
  } else {
    free_blocks_ += s.blocks;
    std::erase(lane.prefilling, index);
  }
  unlink(lane, index);
  s.blocks = 0;
  s.prefilled = 0;
  s.prefill_target = s.input_tokens + s.generated;
  ++s.preemptions;
  ++preemptions_;
  push_waiting_front(index);
}

RankBatch RankScheduler::plan(std::size_t lane_index, SimTime now) {
  Lane& lane = lanes_[lane_index];
  lane.chunks.clear();
  lane.decoding_in_flight = 0;
  preemptions_before_plan_ = preemptions_;
  if (!received_.empty()) seat_received(lane);
  return settings_.enable_chunked_prefill ? plan_mixed(lane, now) : plan_separate(lane, now);
}

RankBatch RankScheduler::plan_mixed(Lane& lane, SimTime now) {
  RankBatch batch;
  make_room_for_decode(lane);
  std::int64_t budget =
      settings_.max_num_batched_tokens - lane.decode.size() * (1 + settings_.speculation.window());
  continue_prompts(lane, budget, batch);
  admit(lane, budget, batch, now, false);
  start_decode(lane, batch);
  return batch;
}

RankBatch RankScheduler::plan_separate(Lane& lane, SimTime now) {
  RankBatch batch;
  std::int64_t budget = settings_.max_num_batched_tokens;
  admit(lane, budget, batch, now, true);
  if (batch.prefill_tokens > 0) return batch;
  make_room_for_decode(lane);
  start_decode(lane, batch);
  return batch;
}

void RankScheduler::make_room_for_decode(Lane& lane) {
  while (lane.running > 0 && lane.blocks_needed() > free_blocks_) preempt_youngest(lane);
}

void RankScheduler::continue_prompts(Lane& lane, std::int64_t& budget, RankBatch& batch) {
  // By position, since a preemption removes entries from the end of the list.
  for (std::size_t i = 0; i < lane.prefilling.size() && budget > 0; ++i) {
    const SequenceIndex index = lane.prefilling[i];
    const Sequence& s = (*pool_)[index];
    const auto tokens =
        static_cast<std::int32_t>(std::min<std::int64_t>(budget, s.prefill_target - s.prefilled));
    const std::int64_t need = blocks_held_at(s, s.prefilled + tokens) - s.blocks;
    while (need > free_blocks_ - lane.blocks_needed() && lane.youngest != index) {
      preempt_youngest(lane);
    }
    if (need > free_blocks_ - lane.blocks_needed()) {
      preempt_youngest(lane);
      return;
    }
    add_chunk(lane, index, tokens, batch);
    budget -= tokens;
  }
}

void RankScheduler::admit(Lane& lane, std::int64_t& budget, RankBatch& batch, SimTime now,
                          bool whole_prompts) {
  bool blocked = preemptions_ > preemptions_before_plan_;
  const std::int64_t seats = std::min(lane.seats, fair_share());
  while (!blocked && waiting_head_ != kNoSequence && lane.running < seats && budget > 0) {
    const SequenceIndex index = waiting_head_;
    Sequence& s = (*pool_)[index];
    if (whole_prompts && s.prefill_target > budget && batch.prefill_tokens > 0) break;
    const auto tokens = static_cast<std::int32_t>(
        whole_prompts ? s.prefill_target : std::min<std::int64_t>(budget, s.prefill_target));
    const std::int64_t wanted = blocks_held_at(s, s.preemptions > 0 ? s.prefill_target : tokens);
    if (wanted > free_blocks_ - lane.blocks_needed()) {
      blocked = true;
      break;
    }
    note_head_blocked(now, false);
    pop_waiting();
    link(lane, index);
    lane.prefilling.push_back(index);
    add_chunk(lane, index, tokens, batch);
    budget -= tokens;
  }
  note_head_blocked(now, blocked);
}

void RankScheduler::add_chunk(Lane& lane, SequenceIndex index, std::int32_t tokens,
                              RankBatch& batch) {
  Sequence& s = (*pool_)[index];
  const std::int64_t end = s.prefilled + tokens;
  const std::int64_t need = blocks_held_at(s, end) - s.blocks;
  take_blocks(need);
  s.blocks += static_cast<std::int32_t>(need);
  lane.chunks.push_back({index, tokens});
  batch.prefill_tokens += tokens;
  ++batch.prefill_chunks;
  if (end == s.prefill_target) ++batch.logit_rows;
  for (std::size_t k = 0; k < laws_.size(); ++k) {
    const ContextLaw& law = laws_[k];
    if (law.cap == 0) continue;  // nothing is cached: there is nothing to look back at
    batch.prefill_context[k] += law.window > 0 ? std::min(end, law.window + tokens) : end;
    batch.prefill_pairs[k] += operators::causal_pairs(tokens, s.prefilled, law.window, law.chunked);
  }
}

void RankScheduler::start_decode(Lane& lane, RankBatch& batch) {
  if (lane.decode.size() == 0) return;
  take_blocks(lane.blocks_needed());
  lane.decode.fill(batch);
  lane.decode.advance(lane.step_tokens);
  lane.decoding_in_flight = lane.decode.size();
  batch.logit_rows += batch.decode_tokens();
}

void RankScheduler::finish(std::size_t lane_index, SimTime now, StepListener& listener) {
  Lane& lane = lanes_[lane_index];
  if (lane.decoding_in_flight > 0) finish_decode(lane, now, listener);
  if (!lane.chunks.empty()) finish_prompts(lane, now, listener);
  lane.decoding_in_flight = 0;
}

void RankScheduler::finish_decode(Lane& lane, SimTime now, StepListener& listener) {
  // All members emitted tokens in the previous decode step, except those that joined since.
  const std::int64_t steady =
      lane.decoding_in_flight - static_cast<std::int64_t>(lane.fresh.size());
  if (steady > 0) listener.gaps(now - lane.last_decode_end, steady);
  for (const SequenceIndex index : lane.fresh) listener.gaps(now - (*pool_)[index].last_token, 1);
  lane.fresh.clear();
  lane.last_decode_end = now;
  // Tokens that one step yields come out together.
  std::int64_t further = lane.decoding_in_flight * (lane.step_tokens - 1);
  lane.decode.take_finished(*pool_, [&](SequenceIndex index, std::int64_t beyond_its_last) {
    further -= beyond_its_last;
    Sequence& s = (*pool_)[index];
    free_blocks_ += lane.decode.blocks_of(s);
    s.generated = s.output_tokens;
    retire(lane, index, now, listener);
  });
  if (further > 0) listener.gaps(SimTime{}, further);
  lane.step_tokens = lane.tokens_per_step.next();
}

void RankScheduler::finish_prompts(Lane& lane, SimTime now, StepListener& listener) {
  for (const Chunk& chunk : lane.chunks) {
    Sequence& s = (*pool_)[chunk.index];
    s.prefilled += chunk.tokens;
    if (s.prefilled < s.prefill_target) continue;
    std::erase(lane.prefilling, chunk.index);
    if (hands_over_ && s.output_tokens > 1) {
      hand_over(lane, chunk.index, now, listener);
      continue;
    }
    if (s.generated++ == 0) {
      s.first_token = now;
      listener.first_token(s, now);
    } else {
      listener.gaps(now - s.last_token, 1);
    }
    s.last_token = now;
    if (s.generated == s.output_tokens) {
      free_blocks_ += s.blocks;
      retire(lane, chunk.index, now, listener);
    } else {
      lane.decode.join(chunk.index, s, s.prefill_target, s.output_tokens - s.generated);
      lane.fresh.push_back(chunk.index);
    }
  }
  lane.chunks.clear();
}

void RankScheduler::retire(Lane& lane, SequenceIndex index, SimTime now, StepListener& listener) {
  unlink(lane, index);
  --requests_;
  listener.finished((*pool_)[index], now);
  pool_->give_back(index);
}

}  // namespace moesim::serving
