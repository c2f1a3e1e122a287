// Turns that arrive a pause after the answer before them.
#include <utility>

#include "serving/run.h"

namespace moesim::serving {

/// What has come up in the source arrives now, or waits for an answer of its session.
void Run::arrive() {
  const workload::Request request = *std::exchange(upcoming_, std::nullopt);
  const std::int64_t number = requests_taken_ - 1;
  const auto ids = demand_.source->hash_ids().subspan(request.prefix.offset, request.prefix.count);
  if (request.session < 0) {
    (void)admit(request, number, ids);
  } else {
    if (!sessions_.keep(request, number, ids)) admit_turn(request, number, ids);
    announce_turn(request.session);
  }
  next_arrival();
}

void Run::admit_turn(const workload::Request& request, std::int64_t number,
                     std::span<const std::uint64_t> ids) {
  if (admit(request, number, ids)) {
    session_of_request_[number] = request.session;
  } else {
    sessions_.ended(request.session, simulator_.now());
  }
}

void Run::announce_turn(std::int32_t session) {
  const auto arrival = sessions_.next_arrival(session);
  if (!arrival) return;
  if (*arrival > settings_.duration || recorder_.closed()) {
    sessions_.give_up(session);
    return;
  }
  simulator_.schedule_at(*arrival, des::Priority::Arrival,
                         {.kind = kTurn, .a = static_cast<std::uint32_t>(session)});
}

void Run::turn_arrives(std::int32_t session) {
  Turn turn = sessions_.take(session);
  turn.request.arrival = simulator_.now();
  admit_turn(turn.request, turn.number, turn.ids);
  announce_turn(session);
}

void Run::answered(std::int64_t number) {
  const auto at = session_of_request_.find(number);
  if (at == session_of_request_.end()) return;
  const std::int32_t session = at->second;
  session_of_request_.erase(at);
  sessions_.ended(session, simulator_.now());
  announce_turn(session);
}

}  // namespace moesim::serving
