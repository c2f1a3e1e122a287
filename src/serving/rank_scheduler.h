// Continuous batching on one attention-DP rank: queue, KV blocks, chunked prefill, preemption.
//
// Follows the engines' usual policy: decoding sequences come first, then prompts already begun,
// then new ones in order of arrival, up to max_num_batched_tokens tokens and max_num_seqs
// sequences. A block is taken when its first token is computed. When blocks run out, the sequence
// of the lane that was admitted last is preempted: its blocks are freed and it returns to the head
// of the queue, where it waits until blocks for all it has to recompute are free. By priority the
// queue holds the lowest value first, then who arrived first, and the last by this order is
// preempted, even one that this iteration was to compute. With swapping its blocks go to the host
// while there is room, and come back before new prompts begin (rank_swap.cpp). With
// Admission::Guaranteed a request begins only if blocks to its end are there, so nothing is
// preempted; with NewTokenRatio a share of the running answers is kept free (rank_admission.cpp).
// An iteration that preempts admits nothing. So those that keep their blocks get on, and every
// request ends.
//
// Without chunked prefill an iteration holds whole prompts or decoding sequences, prompts first;
// with prompts apart it holds chunks or decoding sequences. With pipeline stages each rank has one
// lane (micro-batch) per stage; they share queue and blocks. Leading blocks of a prompt that are
// cached are not computed again (kv_pool.h); those in a lower tier are loaded first, while the
// prompt holds its seat and blocks. New requests may be looked for every few decode steps only
// (SchedulerSettings::recv_interval). See docs/models/serving.md.
// Layer: serving.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "serving/context_law.h"
#include "serving/decode_set.h"
#include "serving/deployment.h"
#include "serving/kv_pool.h"
#include "serving/sequence.h"
#include "serving/swap_space.h"
#include "serving/waiting_queue.h"

namespace moesim::serving {

/// Of Admission::NewTokenRatio, when nothing has run yet.
[[nodiscard]] double first_token_ratio(const SchedulerSettings& settings);

/// What the end of an iteration brings about; the owner records it.
class StepListener {
 public:
  virtual ~StepListener() = default;
  /// `count` gaps between tokens of one request, each of this length.
  virtual void gaps(SimTime length, std::int64_t count) = 0;
  virtual void first_token(const Sequence& sequence, SimTime now) = 0;
  /// The sequence is given back to the pool after this call.
  virtual void finished(const Sequence& sequence, SimTime now) = 0;
  /// The prompt is computed and leaves the rank; its blocks are held until `release`. Only of ranks
  /// that hand over.
  virtual void prefilled(SequenceIndex index, const Sequence& sequence, SimTime now);
};

class RankScheduler {
 public:
  RankScheduler(const SchedulerSettings& settings, std::int64_t kv_blocks, std::int64_t lanes,
                std::span<const ContextLaw> laws, SequencePool& pool);

  void enqueue(SequenceIndex index);
  /// True if an iteration of the lane could have something to run.
  [[nodiscard]] bool has_work(std::size_t lane) const {
    return lanes_[lane].running > 0 || waiting_.count() > 0 || swapped_.count() > 0 ||
           !received_.empty() || !unseen_.empty();
  }
  /// Decides the lane's next iteration. An empty batch: nothing can run now. `hold_prompts`:
  /// decoding sequences alone.
  [[nodiscard]] RankBatch plan(std::size_t lane, SimTime now, bool hold_prompts = false);
  /// Whether prompts wait that a seat is free for, or have begun; whether sequences decode.
  [[nodiscard]] bool has_prompts(std::size_t lane) const {
    const Lane& l = lanes_[lane];
    return !l.prefilling.empty() || (waiting_.count() > 0 && l.running < l.seats);
  }
  [[nodiscard]] bool decodes(std::size_t lane) const { return lanes_[lane].decode.size() > 0; }
  /// The planned iteration has ended.
  void finish(std::size_t lane, SimTime now, StepListener& listener);

  // Prompts computed on one rank and decoded on another, in rank_handover.cpp.
  /// From here on sequences leave after their first token (unless that is the last).
  void hand_over_prompts() { hands_over_ = true; }
  /// The cache of a sequence that left has been sent: its blocks are free.
  void release(SequenceIndex index);
  /// Blocks and a seat for the cache of the sequence's prompt (Admission::Guaranteed: to its end).
  [[nodiscard]] bool can_reserve(const Sequence& sequence) const;
  [[nodiscard]] std::int64_t blocks_to_receive(std::int64_t input) const;
  /// Takes them. Precondition (checked): the blocks are free.
  void reserve(const Sequence& sequence);
  /// The cache has arrived; the sequence decodes from the next iteration on. If it is preempted it
  /// is computed again here.
  void receive(SequenceIndex index);
  /// Sequences whose blocks are held until they are sent, and those expected.
  [[nodiscard]] std::int64_t leaving() const { return leaving_; }
  [[nodiscard]] std::int64_t expected() const { return expected_; }

  /// Requests here, waiting or running or expected: the router's measure of load.
  [[nodiscard]] std::int64_t requests() const { return requests_; }
  /// Tokens of prompts here that are still to be computed; of those that have not begun, all.
  [[nodiscard]] std::int64_t backlog() const { return backlog_; }
  /// Of these, those that do not run yet: in the queue, on the host, or with their cache on its
  /// way.
  [[nodiscard]] std::int64_t requests_waiting() const {
    return waiting_.count() + static_cast<std::int64_t>(unseen_.size()) + swapped_.count() +
           expected_;
  }
  /// Tokens of the KV blocks that are held (not those of prefixes that nobody reads), and those of
  /// prompts in the queue.
  [[nodiscard]] std::int64_t tokens() const {
    return (kv_.total() - kv_.available()) * settings_.block_size + waiting_.tokens() +
           unseen_tokens_ + swapped_.tokens();
  }
  /// KV blocks and cached prefixes.
  [[nodiscard]] KvPool& kv() { return kv_; }
  [[nodiscard]] const KvPool& kv() const { return kv_; }
  /// Cached ones that nobody reads included.
  [[nodiscard]] std::int64_t blocks_free() const { return kv_.available(); }
  [[nodiscard]] std::int64_t blocks_total() const { return kv_.total(); }
  [[nodiscard]] std::int64_t peak_blocks() const { return kv_.peak(); }
  /// When the next prompt can go on that waits for cached blocks to be loaded; nothing if none
  /// does.
  [[nodiscard]] std::optional<SimTime> next_loaded(SimTime now) const;
  [[nodiscard]] std::int64_t preemptions() const { return preemptions_; }
  /// Gives preempted sequences room for so many blocks on the host.
  void swap_to_host(std::int64_t blocks) { swap_.emplace(blocks); }
  /// Null: there is none.
  [[nodiscard]] const SwapSpace* swap() const { return swap_ ? &*swap_ : nullptr; }
  /// Blocks a request of this length holds at its end.
  [[nodiscard]] std::int64_t blocks_for(std::int64_t tokens) const {
    return (tokens + settings_.block_size - 1) / settings_.block_size;
  }
  /// Blocks a request needs to reach its end: the last token is emitted, never cached; the last
  /// step may draft beyond it.
  [[nodiscard]] std::int64_t blocks_to_end(std::int64_t input, std::int64_t output) const {
    return blocks_for(input + output - 1 + (output > 1 ? 2 * settings_.speculation.window() : 0));
  }

  /// Part of a prompt that an iteration computes.
  struct Chunk {
    SequenceIndex index;
    std::int32_t tokens;
  };
  /// Of the lane's iteration in flight.
  [[nodiscard]] std::span<const Chunk> chunks(std::size_t lane) const {
    return lanes_[lane].chunks;
  }

 private:
  struct Lane {
    Lane(const SchedulerSettings& settings, std::span<const ContextLaw> laws)
        : decode(settings.block_size, laws, settings.speculation.window()),
          tokens_per_step(settings.speculation),
          step_tokens(tokens_per_step.next()) {}
    [[nodiscard]] std::int64_t blocks_needed() const { return decode.blocks_needed(step_tokens); }
    /// Tokens that a step runs for each decoding sequence.
    [[nodiscard]] std::int64_t queries() const { return decode.queries(); }
    DecodeSet decode;
    TokensPerStep tokens_per_step;
    std::int64_t step_tokens;  ///< That the next decode step, or the one in flight, yields.
    std::vector<SequenceIndex> prefilling;  ///< Begun, in order of admission.
    std::vector<SequenceIndex> loading;     ///< Admitted; cached blocks are on their way.
    std::vector<Chunk> chunks;              ///< Of the iteration in flight.
    std::vector<SequenceIndex> fresh;       ///< Joined since the last decode step.
    SequenceIndex oldest = kNoSequence;
    SequenceIndex youngest = kNoSequence;
    std::int64_t admissions = 0;  ///< So far.
    std::int32_t running = 0;
    std::int64_t seats = 0;               ///< Sequences that may run at once.
    std::int32_t decoding_in_flight = 0;  ///< Of the iteration in flight.
    std::int32_t swapped_blocks = 0;      ///< Copied since an iteration last began.
    SimTime last_decode_end;
  };

  void look_for_requests();
  RankBatch plan_mixed(Lane& lane, SimTime now, bool hold_prompts);
  RankBatch plan_separate(Lane& lane, SimTime now);
  void make_room_for_decode(Lane& lane);
  void continue_prompts(Lane& lane, std::int64_t& budget);
  void admit(Lane& lane, std::int64_t& budget, SimTime now);
  void start_decode(Lane& lane, RankBatch& batch);
  /// The first chunk of a prompt of which so much is cached.
  struct Start {
    std::int32_t tokens;
    bool fits;  ///< There are blocks for it.
  };
  [[nodiscard]] Start start_of(const Lane& lane, const Sequence& s, const KvPool::Match& cached,
                               std::int64_t budget) const;
  /// Blocks that must stay free when the lane takes a prompt in.
  [[nodiscard]] std::int64_t blocks_kept_free(const Lane& lane) const;
  [[nodiscard]] bool guarantees() const {
    return settings_.admission == catalog::Admission::Guaranteed;
  }
  [[nodiscard]] bool estimates() const {
    return settings_.admission == catalog::Admission::NewTokenRatio;
  }
  [[nodiscard]] std::int64_t promise_for(const Sequence& s) const;
  void promise(Sequence& s, std::int64_t held);
  void keep_promise(std::int64_t blocks) {
    if (guarantees()) promised_ -= blocks;
  }
  [[nodiscard]] std::int64_t answer_left(const Lane& lane, const Sequence& s) const;
  [[nodiscard]] std::int64_t tokens_expected() const;
  [[nodiscard]] bool is_alone() const;
  void retract(Lane& lane);
  void lower_token_ratio();
  [[nodiscard]] SequenceIndex least_generated(const Lane& lane) const;
  bool swap_out(Lane& lane, SequenceIndex index);
  void swap_in(Lane& lane, std::int64_t& budget);
  void seat_swapped(Lane& lane, SequenceIndex index, std::int64_t& budget);
  void seat_loaded(Lane& lane, SimTime now);
  void add_chunk(Lane& lane, SequenceIndex index, std::int32_t tokens);
  /// What the lane's chunks ask of the GPU.
  [[nodiscard]] RankBatch sum_chunks(const Lane& lane) const;
  /// Who is preempted first.
  [[nodiscard]] SequenceIndex victim(const Lane& lane) const;
  /// Returns the tokens of it that the iteration was to compute.
  std::int64_t preempt(Lane& lane, SequenceIndex index);
  std::int64_t drop_chunk(Lane& lane, SequenceIndex index);
  void finish_decode(Lane& lane, SimTime now, StepListener& listener);
  void finish_prompts(Lane& lane, SimTime now, StepListener& listener);
  void retire(Lane& lane, SequenceIndex index, SimTime now, StepListener& listener);
  void link(Lane& lane, SequenceIndex index);
  void unlink(Lane& lane, SequenceIndex index);
  void hand_over(Lane& lane, SequenceIndex index, SimTime now, StepListener& listener);
  void seat_received(Lane& lane);
  /// Sequences a lane may hold so that all lanes get as many: full stages, small bubbles.
  [[nodiscard]] std::int64_t fair_share() const;
  /// Blocks a prompt holds once so many of its tokens are computed: with room for drafts at its
  /// end.
  [[nodiscard]] std::int64_t blocks_held_at(const Sequence& s, std::int64_t prefilled) const;
  void note_head_blocked(SimTime now, bool blocked);

  SchedulerSettings settings_;
  std::vector<ContextLaw> laws_;
  SequencePool* pool_;
  std::vector<Lane> lanes_;
  WaitingQueue waiting_;
  std::vector<SequenceIndex> unseen_;  ///< Arrived; the scheduler has not looked for them yet.
  std::int64_t unseen_tokens_ = 0;
  std::int64_t steps_unlooked_ = 0;  ///< Since it last did.
  bool ran_prompts_ = false;         ///< The iteration that ended last.
  WaitingQueue swapped_;
  std::optional<SwapSpace> swap_;
  std::int64_t promised_ = 0;  ///< Blocks set apart for sequences here that they do not hold yet.
  double token_ratio_ = 0.0;   ///< Share of the running answers that is kept free.
  KvPool kv_;
  std::int64_t backlog_ = 0;
  std::int64_t requests_ = 0;
  std::int64_t preemptions_ = 0;
  std::int64_t preemptions_before_plan_ = 0;
  bool hands_over_ = false;
  std::int64_t leaving_ = 0;
  std::int64_t expected_ = 0;
  std::vector<SequenceIndex> received_;       ///< Not yet seated in a lane.
  SequenceIndex blocked_head_ = kNoSequence;  ///< Head of the queue that waits for blocks.
  SimTime blocked_since_;
};

}  // namespace moesim::serving
