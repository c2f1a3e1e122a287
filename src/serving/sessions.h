// Turns of conversations: each follows the answer of the one before it, after a pause.
//
//   arrival of a turn = end of the answer before it + pause
//
// A trace gives such a turn a lower bound, the arrival before it and the pause, by which its rows
// are in order; so a turn that comes up may have to wait until its predecessor is answered (or
// rejected), together with its prompt's block ids. At most one turn of a session is under way. A
// session whose last turn is known to be the last is forgotten when that ends.
// Layer: serving.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/sim_time.h"
#include "workload/request.h"

namespace moesim::serving {

/// A request that is kept until its time.
struct Turn {
  workload::Request request;
  std::int64_t number = 0;         ///< Of the request.
  SimTime pause;                   ///< After the answer before it.
  std::vector<std::uint64_t> ids;  ///< Of its prefix blocks.
};

class SessionBook {
 public:
  /// A request has come up in the source. True: it is a turn whose arrival follows from an answer;
  /// it is kept. False: it arrives now.
  [[nodiscard]] bool keep(const workload::Request& request, std::int64_t number,
                          std::span<const std::uint64_t> ids);
  /// When the session's next turn arrives, if it is known since the last call.
  [[nodiscard]] std::optional<SimTime> next_arrival(std::int32_t session);
  /// The turn whose time has come.
  [[nodiscard]] Turn take(std::int32_t session);
  /// A request of the session is answered or rejected.
  void ended(std::int32_t session, SimTime now);
  /// Sessions that are remembered.
  [[nodiscard]] std::size_t known() const { return sessions_.size(); }
  /// No more turns of the session arrive.
  void give_up(std::int32_t session);

 private:
  struct Session {
    SimTime bound;     ///< Arrival of its last request, as the source has it.
    SimTime answered;  ///< End of the last answer.
    std::int64_t under_way = 0;
    bool announced = false;  ///< The time of its next turn is known.
    bool ended = false;
    bool last_seen = false;  ///< No more turns come up.
    std::deque<Turn> kept;
  };
  std::unordered_map<std::int32_t, Session> sessions_;
};

}  // namespace moesim::serving
