#include "workload/generated_sessions.h"

#include <algorithm>
#include <queue>
#include <utility>
#include <vector>

#include "core/random.h"
#include "workload/generator.h"

namespace moesim::workload {
namespace {

/// Arrivals end with the clock.
constexpr double kLastSecond = 104.0 * 24 * 3600;

struct PendingTurn {
  SimTime arrival;  ///< Of the turn before it plus the pause: a lower bound.
  std::int32_t session = 0;
  std::int64_t turn = 0;
  std::int64_t turns = 1;
  std::int32_t input = 1;
  std::int32_t output = 1;
  bool last = true;
};

struct ComesLater {
  bool operator()(const PendingTurn& a, const PendingTurn& b) const {
    return a.arrival != b.arrival ? b.arrival < a.arrival : b.session < a.session;
  }
};

class SessionSource final : public RequestSource {
 public:
  SessionSource(std::unique_ptr<RequestSource> starts, const WorkloadModel& model,
                const SessionModel& sessions, std::int32_t block_tokens, std::uint64_t seed)
      : starts_(std::move(starts)),
        sessions_(sessions),
        block_tokens_(block_tokens),
        seed_(seed),
        later_lengths_(model, RandomStream(seed, "lengths of later turns").next()),
        start_(starts_->next()) {}

  std::optional<Request> next() override {
    if (start_ && (pending_.empty() || start_->arrival <= pending_.top().arrival)) {
      const Request first = *std::exchange(start_, starts_->next());
      const auto input = first.input_tokens + sessions_.system_tokens;
      return give({.arrival = first.arrival,
                   .session = begun_,
                   .turns = turns_of(begun_++),
                   .input = static_cast<std::int32_t>(input),
                   .output = first.output_tokens});
    }
    if (pending_.empty()) return std::nullopt;
    const PendingTurn turn = pending_.top();
    pending_.pop();
    return give(turn);
  }
  std::span<const std::uint64_t> hash_ids() const override { return ids_; }
  std::int32_t hash_block_tokens() const override { return block_tokens_; }
  std::vector<std::string> notes() const override { return starts_->notes(); }

 private:
  [[nodiscard]] std::int64_t turns_of(std::int32_t session) const {
    if (sessions_.fixed_turns) return static_cast<std::int64_t>(sessions_.turns);
    RandomStream draw(seed_, "turns of sessions", static_cast<std::uint64_t>(session));
    std::int64_t turns = 1;
    while (turns < kMostTurns && draw.uniform() * sessions_.turns >= 1.0) ++turns;
    return turns;
  }

  /// The turn, after the next of its session is made ready.
  Request give(const PendingTurn& turn) {
    const bool last = !prepare_next(turn);
    name_blocks(turn);
    return {.arrival = turn.arrival,
            .input_tokens = turn.input,
            .output_tokens = turn.output,
            .session = turn.session,
            .prefix = {.offset = 0, .count = static_cast<std::uint32_t>(ids_.size())},
            .after_previous_answer = turn.turn > 0,
            .last_of_session = last};
  }

  bool prepare_next(const PendingTurn& turn) {
    if (turn.turn + 1 >= turn.turns) return false;
    const std::int64_t number = turn.session * kMostTurns + turn.turn + 1;
    const Lengths more = later_lengths_.at(number);
    const std::int64_t input =
        std::int64_t{turn.input} + turn.output + std::int64_t{more.input_tokens};
    if (input + more.output_tokens > sessions_.most_tokens) return false;
    double pause = sessions_.think_time / kSecond;
    if (!sessions_.fixed_think) {
      pause *= RandomStream(seed_, "pauses of sessions", static_cast<std::uint64_t>(number))
                   .exponential();
    }
    const double arrival = turn.arrival.seconds() / kSecond + pause;
    if (arrival >= kLastSecond) return false;
    pending_.push({.arrival = turn.arrival + SimTime::from(pause * kSecond),
                   .session = turn.session,
                   .turn = turn.turn + 1,
                   .turns = turn.turns,
                   .input = static_cast<std::int32_t>(input),
                   .output = more.output_tokens});
    return true;
  }

  /// Whole blocks: of the system prompt the same for all, else the session's own.
  void name_blocks(const PendingTurn& turn) {
    ids_.clear();
    if (block_tokens_ == 0) return;
    const std::int64_t common =
        std::min<std::int64_t>(sessions_.system_tokens, turn.input) / block_tokens_;
    const auto own = static_cast<std::uint64_t>(turn.session + 1) << 32U;
    for (std::int64_t i = 0; i < turn.input / block_tokens_; ++i) {
      ids_.push_back((i < common ? 0 : own) + static_cast<std::uint64_t>(i));
    }
  }

  std::unique_ptr<RequestSource> starts_;
  SessionModel sessions_;
  std::int32_t block_tokens_;
  std::uint64_t seed_;
  LengthSampler later_lengths_;
  std::optional<Request> start_;  ///< Of the session that begins next.
  std::int32_t begun_ = 0;
  std::priority_queue<PendingTurn, std::vector<PendingTurn>, ComesLater> pending_;
  std::vector<std::uint64_t> ids_;  ///< Of the request given last.
};

}  // namespace

std::unique_ptr<RequestSource> make_sessions(std::unique_ptr<RequestSource> starts,
                                             const WorkloadModel& model,
                                             const SessionModel& sessions,
                                             std::int32_t block_tokens, std::uint64_t seed) {
  return std::make_unique<SessionSource>(std::move(starts), model, sessions, block_tokens, seed);
}

}  // namespace moesim::workload
