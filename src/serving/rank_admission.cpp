// When a prompt may begin: what it needs, and what must stay free for those that run.
//
// Admission::Guaranteed: every sequence has been promised blocks to its end.
// Admission::NewTokenRatio, as SGLang: a request begins if its prompt and answer fit beside a share
// `ratio` of what the running ones have still to generate. The ratio starts at 0.7 (times the
// conservativeness, at most 1), falls to 0.14 of that within 600 decode steps, and rises when
// blocks run out all the same; then those that have generated least go, until 20 steps fit.
#include <algorithm>
#include <tuple>

#include "serving/rank_scheduler.h"

namespace moesim::serving {
namespace {

constexpr double kFirstRatio = 0.7;
constexpr double kLeastOfFirst = 0.14;
constexpr double kDecayStepsOfRatio = 600.0;
constexpr std::int64_t kLongestAnswer = 4096;  ///< More of an answer is not counted.
constexpr std::int64_t kStepsToFit = 20;

}  // namespace

double first_token_ratio(const SchedulerSettings& settings) {
  return std::min(1.0, kFirstRatio * settings.conservativeness);
}

void RankScheduler::lower_token_ratio() {
  const double first = first_token_ratio(settings_);
  const double least = kLeastOfFirst * first;
  token_ratio_ = std::max(least, token_ratio_ - (first - least) / kDecayStepsOfRatio);
}

std::int64_t RankScheduler::promise_for(const Sequence& s) const {
  // A rank that hands over holds the prompt alone.
  return hands_over_ ? blocks_held_at(s, s.prefill_target)
                     : blocks_to_end(s.input_tokens, s.output_tokens);
}

void RankScheduler::promise(Sequence& s, std::int64_t held) {
  if (!guarantees()) return;
  s.promised = static_cast<std::int32_t>(promise_for(s));
  promised_ += s.promised - held;
}

/// Tokens of the answer still to come, as far as they count.
std::int64_t RankScheduler::answer_left(const Lane& lane, const Sequence& s) const {
  const std::int64_t here = s.decoding ? lane.decode.generated_of(s) : 0;
  return std::min<std::int64_t>(kLongestAnswer, s.output_tokens - s.generated - here);
}

std::int64_t RankScheduler::tokens_expected() const {
  double share = 0;
  std::int64_t whole = 0;
  for (const Lane& lane : lanes_) {
    for (SequenceIndex at = lane.oldest; at != kNoSequence; at = (*pool_)[at].younger) {
      const Sequence& s = (*pool_)[at];
      const std::int64_t left = answer_left(lane, s);
      if (s.decoding) {
        share += token_ratio_ * static_cast<double>(left);
      } else {  // Those that have not begun to decode count in full.
        whole += left + std::max<std::int64_t>(
                            0, s.prefill_target - std::int64_t{s.blocks} * settings_.block_size);
      }
    }
  }
  return whole + static_cast<std::int64_t>(share);
}

bool RankScheduler::is_alone() const {
  return leaving_ == 0 && expected_ == 0 &&
         std::all_of(lanes_.begin(), lanes_.end(),
                     [](const Lane& lane) { return lane.running == 0; });
}

std::int64_t RankScheduler::blocks_kept_free(const Lane& lane) const {
  return guarantees() ? promised_ : lane.blocks_needed();
}

RankScheduler::Start RankScheduler::start_of(const Lane& lane, const Sequence& s,
                                             const KvPool::Match& cached,
                                             std::int64_t budget) const {
  const std::int64_t left = s.prefill_target - cached.tokens;
  const std::int64_t tokens =
      settings_.enable_chunked_prefill ? std::min<std::int64_t>(budget, left) : left;
  const bool whole = s.preemptions > 0 || estimates();
  const std::int64_t held =
      guarantees() ? promise_for(s)
                   : blocks_held_at(s, whole ? s.prefill_target : cached.tokens + tokens);
  const std::int64_t wanted = held - cached.tokens / settings_.block_size + cached.to_take;
  const std::int64_t room = kv_.available() - cached.idle;
  Start start{.tokens = static_cast<std::int32_t>(tokens),
              .fits = wanted <= room - blocks_kept_free(lane)};
  if (start.fits && estimates() && !is_alone()) {
    start.fits = left + answer_left(lane, s) < room * settings_.block_size - tokens_expected();
  }
  return start;
}

SequenceIndex RankScheduler::least_generated(const Lane& lane) const {
  // Of those that have generated as few the longest prompt, of equal ones who was admitted last.
  SequenceIndex least = lane.youngest;
  const auto order = [&](SequenceIndex index) {
    const Sequence& s = (*pool_)[index];
    const std::int64_t here = s.decoding ? lane.decode.generated_of(s) : 0;
    return std::tuple(s.generated + here, -std::int64_t{s.input_tokens});
  };
  for (SequenceIndex at = least; at != kNoSequence; at = (*pool_)[at].older) {
    if (order(at) < order(least)) least = at;
  }
  return least;
}

void RankScheduler::retract(Lane& lane) {
  const auto lacks = [&](std::int64_t steps) {
    const std::int64_t tokens = steps * lane.queries() * lane.decode.size();
    return blocks_for(tokens) > kv_.available();
  };
  do {
    preempt(lane, least_generated(lane));
  } while (lane.running > 1 && lacks(kStepsToFit));
  double generated = 0;
  double asked = 0;
  for (SequenceIndex at = lane.oldest; at != kNoSequence; at = (*pool_)[at].younger) {
    const Sequence& s = (*pool_)[at];
    generated += s.generated + (s.decoding ? lane.decode.generated_of(s) : 0);
    asked += s.output_tokens;
  }
  if (asked <= 0.0) return;
  const auto ahead = static_cast<double>(kStepsToFit * lane.running);
  token_ratio_ = std::min(1.0, (generated + ahead) / asked);
}

}  // namespace moesim::serving
