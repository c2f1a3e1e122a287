#include "serving/sessions.h"

#include <utility>

#include "core/check.h"

namespace moesim::serving {

bool SessionBook::keep(const workload::Request& request, std::int64_t number,
                       std::span<const std::uint64_t> ids) {
  Session& session = sessions_[request.session];
  const SimTime pause = request.arrival - session.bound;
  session.bound = request.arrival;
  session.last_seen = request.last_of_session;
  if (!request.after_previous_answer) {
    ++session.under_way;
    return false;
  }
  if (!session.ended) {
    session.kept.push_back(
        {.request = request, .number = number, .pause = pause, .ids = {ids.begin(), ids.end()}});
  } else if (session.last_seen) {
    sessions_.erase(request.session);
  }
  return true;
}

std::optional<SimTime> SessionBook::next_arrival(std::int32_t number) {
  const auto at = sessions_.find(number);
  if (at == sessions_.end()) return std::nullopt;
  Session& session = at->second;
  if (session.under_way > 0 || session.announced || session.kept.empty()) return std::nullopt;
  session.announced = true;
  return session.answered + session.kept.front().pause;
}

Turn SessionBook::take(std::int32_t number) {
  Session& session = sessions_.at(number);
  MOESIM_CHECK(session.announced, "a turn comes whose time is not known");
  Turn turn = std::move(session.kept.front());
  session.kept.pop_front();
  session.announced = false;
  ++session.under_way;
  return turn;
}

void SessionBook::ended(std::int32_t number, SimTime now) {
  Session& session = sessions_.at(number);
  MOESIM_CHECK(session.under_way > 0, "a turn ends that was not under way");
  --session.under_way;
  session.answered = now;
  if (session.last_seen && session.under_way == 0 && session.kept.empty()) sessions_.erase(number);
}

void SessionBook::give_up(std::int32_t number) {
  Session& session = sessions_.at(number);
  session.kept.clear();
  session.announced = false;
  session.ended = true;
  if (session.last_seen && session.under_way == 0) sessions_.erase(number);
}

}  // namespace moesim::serving
