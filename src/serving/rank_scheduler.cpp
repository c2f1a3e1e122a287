#include "serving/rank_scheduler.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "operators/attention.h"

namespace moesim::serving {

RankScheduler::RankScheduler(const SchedulerSettings& settings, std::int64_t kv_blocks,
                             std::int64_t lanes, std::span<const ContextLaw> laws,
                             SequencePool& pool)
    : settings_(settings),
      laws_(laws.begin(), laws.end()),
      pool_(&pool),
      waiting_(settings.policy, pool),
      swapped_(settings.policy, pool),
      token_ratio_(first_token_ratio(settings)),
      kv_(kv_blocks, settings.block_size) {
  kv_.keep_preempted(settings.preempted_blocks);
  lanes_.reserve(static_cast<std::size_t>(lanes));
  for (std::int64_t i = 0; i < lanes; ++i) {
    lanes_.emplace_back(settings, laws);
    lanes_.back().seats =
        settings.max_num_seqs / lanes + (i < settings.max_num_seqs % lanes ? 1 : 0);
  }
}

void RankScheduler::enqueue(SequenceIndex index) {
  if (requests_++ == 0) token_ratio_ = first_token_ratio(settings_);
  backlog_ += (*pool_)[index].prefill_target;
  if (settings_.recv_interval == 1) {
    waiting_.arrive(index);
  } else {
    unseen_.push_back(index);
    unseen_tokens_ += (*pool_)[index].prefill_target;
  }
}

void RankScheduler::look_for_requests() {
  ++steps_unlooked_;
  const bool idle =
      waiting_.count() == 0 &&
      std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) { return lane.running == 0; });
  if (steps_unlooked_ < settings_.recv_interval && !ran_prompts_ && !idle) return;
  steps_unlooked_ = 0;
  for (const SequenceIndex index : unseen_) waiting_.arrive(index);
  unseen_.clear();
  unseen_tokens_ = 0;
}

std::int64_t RankScheduler::fair_share() const {
  const auto lanes = static_cast<std::int64_t>(lanes_.size());
  return (requests_ + lanes - 1) / lanes;
}

std::int64_t RankScheduler::blocks_held_at(const Sequence& s, std::int64_t prefilled) const {
  const bool decodes_next = prefilled == s.prefill_target && s.generated + 1 < s.output_tokens;
  return blocks_for(prefilled + (decodes_next ? settings_.speculation.window() : 0));
}

void RankScheduler::note_head_blocked(SimTime now, bool blocked) {
  if (blocked_head_ != kNoSequence && (!blocked || blocked_head_ != waiting_.head())) {
    (*pool_)[blocked_head_].kv_wait += now - blocked_since_;
    blocked_head_ = kNoSequence;
  }
  if (blocked && blocked_head_ == kNoSequence) {
    blocked_head_ = waiting_.head();
    blocked_since_ = now;
  }
}

void RankScheduler::link(Lane& lane, SequenceIndex index) {
  Sequence& s = (*pool_)[index];
  s.older = lane.youngest;
  s.younger = kNoSequence;
  (lane.youngest == kNoSequence ? lane.oldest : (*pool_)[lane.youngest].younger) = index;
  lane.youngest = index;
  s.admission = ++lane.admissions;
  ++lane.running;
}

void RankScheduler::unlink(Lane& lane, SequenceIndex index) {
  const Sequence& s = (*pool_)[index];
  (s.older == kNoSequence ? lane.oldest : (*pool_)[s.older].younger) = s.younger;
  (s.younger == kNoSequence ? lane.youngest : (*pool_)[s.younger].older) = s.older;
  --lane.running;
}

SequenceIndex RankScheduler::victim(const Lane& lane) const {
  if (estimates()) return least_generated(lane);
  if (settings_.policy == SchedulingPolicy::Fcfs) return lane.youngest;
  SequenceIndex last = lane.oldest;
  for (SequenceIndex at = last; at != kNoSequence; at = (*pool_)[at].younger) {
    if (goes_before((*pool_)[last], (*pool_)[at])) last = at;
  }
  return last;
}

std::int64_t RankScheduler::preempt(Lane& lane, SequenceIndex index) {
  MOESIM_CHECK(!guarantees(), "a sequence is evicted whose blocks were set apart");
  if (swap_ && swap_out(lane, index)) return drop_chunk(lane, index);
  Sequence& s = (*pool_)[index];
  if (s.decoding) {
    const std::int64_t blocks = lane.decode.blocks_of(s);
    s.generated += lane.decode.leave(index, s);
    kv_.preempt(pool_->prompt(index), s, blocks, s.input_tokens + s.generated - 1);
    if (std::erase(lane.fresh, index) == 0) s.last_token = lane.last_decode_end;
  } else {
    kv_.preempt(pool_->prompt(index), s, s.blocks, s.prefilled);
    if (std::erase(lane.prefilling, index) == 0) std::erase(lane.loading, index);
  }
  unlink(lane, index);
  backlog_ -= s.prefill_target - s.prefilled;
  s.blocks = 0;
  s.prefilled = 0;
  s.prefill_target = s.input_tokens + s.generated;
  backlog_ += s.prefill_target;
  ++s.preemptions;
  ++preemptions_;
  if (estimates()) {
    waiting_.arrive(index);  // SGLang puts it behind all that wait.
  } else {
    waiting_.come_back(index);
  }
  return drop_chunk(lane, index);
}

std::int64_t RankScheduler::drop_chunk(Lane& lane, SequenceIndex index) {
  const auto at = std::find_if(lane.chunks.begin(), lane.chunks.end(),
                               [&](const Chunk& chunk) { return chunk.index == index; });
  if (at == lane.chunks.end()) return 0;
  const std::int64_t tokens = at->tokens;
  lane.chunks.erase(at);
  return tokens;
}

RankBatch RankScheduler::plan(std::size_t lane_index, SimTime now, bool hold_prompts) {
  Lane& lane = lanes_[lane_index];
  lane.chunks.clear();
  lane.decoding_in_flight = 0;
  preemptions_before_plan_ = preemptions_;
  if (!received_.empty()) seat_received(lane);
  if (settings_.recv_interval > 1) look_for_requests();
  const bool mixed = settings_.enable_chunked_prefill && !settings_.prompts_apart;
  RankBatch batch = mixed ? plan_mixed(lane, now, hold_prompts) : plan_separate(lane, now);
  if (batch.tokens() > 0) batch.swapped_blocks = std::exchange(lane.swapped_blocks, 0);
  return batch;
}

RankBatch RankScheduler::plan_mixed(Lane& lane, SimTime now, bool hold_prompts) {
  make_room_for_decode(lane);
  seat_loaded(lane, now);
  std::int64_t budget = settings_.max_num_batched_tokens - lane.decode.size() * lane.queries();
  if (!hold_prompts) {
    continue_prompts(lane, budget);
    swap_in(lane, budget);
    admit(lane, budget, now);
  }
  RankBatch batch = sum_chunks(lane);
  start_decode(lane, batch);
  return batch;
}

RankBatch RankScheduler::plan_separate(Lane& lane, SimTime now) {
  std::int64_t budget = settings_.max_num_batched_tokens;
  seat_loaded(lane, now);
  continue_prompts(lane, budget);
  admit(lane, budget, now);
  RankBatch batch = sum_chunks(lane);
  if (batch.prefill_tokens > 0) return batch;
  make_room_for_decode(lane);
  budget = settings_.max_num_batched_tokens - lane.decode.size() * lane.queries();
  swap_in(lane, budget);
  start_decode(lane, batch);
  return batch;
}

void RankScheduler::make_room_for_decode(Lane& lane) {
  if (estimates() && lane.blocks_needed() > kv_.available()) retract(lane);
  while (lane.running > 0 && lane.blocks_needed() > kv_.available()) preempt(lane, victim(lane));
}

void RankScheduler::continue_prompts(Lane& lane, std::int64_t& budget) {
  // By position: a preemption removes entries, before this one too if it goes by priority.
  for (std::size_t i = 0; i < lane.prefilling.size() && budget > 0; ++i) {
    const SequenceIndex index = lane.prefilling[i];
    const Sequence& s = (*pool_)[index];
    const auto tokens =
        static_cast<std::int32_t>(std::min<std::int64_t>(budget, s.prefill_target - s.prefilled));
    // Whole prompts: this one has been loaded and waits for an iteration with room for the rest.
    if (!settings_.enable_chunked_prefill && s.prefilled + tokens < s.prefill_target) return;
    const std::int64_t need = blocks_held_at(s, s.prefilled + tokens) - s.blocks;
    while (need > kv_.available() - lane.blocks_needed()) {
      const SequenceIndex last = victim(lane);
      budget += preempt(lane, last);
      if (last == index) return;
    }
    while (lane.prefilling[i] != index) --i;
    add_chunk(lane, index, tokens);
    budget -= tokens;
  }
}

void RankScheduler::admit(Lane& lane, std::int64_t& budget, SimTime now) {
  bool blocked = preemptions_ > preemptions_before_plan_ || swapped_.count() > 0;
  const std::int64_t seats = std::min(lane.seats, fair_share());
  while (!blocked && waiting_.count() > 0 && lane.running < seats && budget > 0) {
    const SequenceIndex index = waiting_.head();
    Sequence& s = (*pool_)[index];
    KvPool::Match cached = kv_.match(pool_->prompt(index), s);
    Start start = start_of(lane, s, cached, budget);
    if (!start.fits && cached.tokens > 0) {  // Keeping what is cached may take the room for it all.
      cached = {};
      start = start_of(lane, s, cached, budget);
    }
    if (!settings_.enable_chunked_prefill && start.tokens > budget && !lane.chunks.empty()) break;
    if (!start.fits) {
      blocked = true;
      break;
    }
    note_head_blocked(now, false);
    waiting_.pop();
    s.ready = kv_.begin(pool_->prompt(index), cached, s, now);
    backlog_ -= s.prefilled;
    link(lane, index);
    promise(s, s.blocks);
    if (s.ready > now) {
      lane.loading.push_back(index);
      continue;
    }
    lane.prefilling.push_back(index);
    add_chunk(lane, index, start.tokens);
    budget -= start.tokens;
  }
  note_head_blocked(now, blocked);
}

void RankScheduler::seat_loaded(Lane& lane, SimTime now) {
  std::size_t waiting = 0;
  for (const SequenceIndex index : lane.loading) {
    const Sequence& s = (*pool_)[index];
    if (s.ready <= now) {
      // Those admitted last stay at the end: preemption takes them from there.
      const auto later = [&](SequenceIndex other) {
        return (*pool_)[other].admission > s.admission;
      };
      lane.prefilling.insert(std::find_if(lane.prefilling.begin(), lane.prefilling.end(), later),
                             index);
    } else {
      lane.loading[waiting++] = index;
    }
  }
  lane.loading.resize(waiting);
}

std::optional<SimTime> RankScheduler::next_loaded(SimTime now) const {
  std::optional<SimTime> next;
  for (const Lane& lane : lanes_) {
    for (const SequenceIndex index : lane.loading) {
      const SimTime ready = (*pool_)[index].ready;
      if (ready > now && (!next || ready < *next)) next = ready;
    }
  }
  return next;
}

void RankScheduler::add_chunk(Lane& lane, SequenceIndex index, std::int32_t tokens) {
  Sequence& s = (*pool_)[index];
  const std::int64_t need = blocks_held_at(s, s.prefilled + tokens) - s.blocks;
  kv_.take(need);
  keep_promise(need);
  s.blocks += static_cast<std::int32_t>(need);
  lane.chunks.push_back({index, tokens});
}

RankBatch RankScheduler::sum_chunks(const Lane& lane) const {
  RankBatch batch;
  for (const auto& [index, tokens] : lane.chunks) {
    const Sequence& s = (*pool_)[index];
    const std::int64_t end = s.prefilled + tokens;
    batch.prefill_tokens += tokens;
    ++batch.prefill_chunks;
    if (end == s.prefill_target) ++batch.logit_rows;
    for (std::size_t k = 0; k < laws_.size(); ++k) {
      const ContextLaw& law = laws_[k];
      if (law.cap == 0) continue;  // nothing is cached: there is nothing to look back at
      batch.prefill_context[k] += law.window > 0 ? std::min(end, law.window + tokens) : end;
      batch.prefill_pairs[k] +=
          operators::causal_pairs(tokens, s.prefilled, law.window, law.chunked);
    }
  }
  return batch;
}

void RankScheduler::start_decode(Lane& lane, RankBatch& batch) {
  if (lane.decode.size() == 0) return;
  const std::int64_t need = lane.blocks_needed();
  kv_.take(need);
  keep_promise(need);
  if (estimates()) lower_token_ratio();
  lane.decode.fill(batch);
  lane.decode.advance(lane.step_tokens);
  lane.decoding_in_flight = lane.decode.size();
  batch.logit_rows += batch.decode_tokens();
}

void RankScheduler::finish(std::size_t lane_index, SimTime now, StepListener& listener) {
  Lane& lane = lanes_[lane_index];
  ran_prompts_ = !lane.chunks.empty();
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
    kv_.leave(pool_->prompt(index), s, lane.decode.blocks_of(s));
    keep_promise(s.promised - lane.decode.blocks_of(s));
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
    backlog_ -= chunk.tokens;
    kv_.publish(pool_->prompt(chunk.index), s);
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
      kv_.leave(pool_->prompt(chunk.index), s, s.blocks);
      keep_promise(s.promised - s.blocks);
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
