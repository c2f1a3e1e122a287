// Conversations: turns, pauses and prompts that grow.
#include "workload/generated_sessions.h"

#include <cmath>
#include <map>
#include <utility>
#include <vector>

#include "tests/support/catch.h"

namespace moesim::workload {
namespace {

using namespace moesim::literals;
using moesim::test::WithinAbs;

/// First turns at these times, of 100 tokens in and 20 out.
class Starts final : public RequestSource {
 public:
  explicit Starts(std::vector<Seconds> at) : at_(std::move(at)) {}
  [[nodiscard]] std::optional<Request> next() override {
    if (given_ == at_.size()) return std::nullopt;
    return Request{
        .arrival = SimTime::from(at_[given_++]), .input_tokens = 100, .output_tokens = 20};
  }

 private:
  std::vector<Seconds> at_;
  std::size_t given_ = 0;
};

WorkloadModel lengths() {
  WorkloadModel model;
  model.arrivals = Poisson{};
  model.input = FixedLength{100};
  model.output = FixedLength{20};
  return model;
}

struct Row {
  Request request;
  std::vector<std::uint64_t> ids;
};

std::vector<Row> rows(const SessionModel& sessions, std::vector<Seconds> starts,
                      std::int32_t block = 0) {
  const auto source =
      make_sessions(std::make_unique<Starts>(std::move(starts)), lengths(), sessions, block, 1);
  std::vector<Row> all;
  while (const auto request = source->next()) {
    const auto ids = source->hash_ids().subspan(request->prefix.offset, request->prefix.count);
    all.push_back({*request, {ids.begin(), ids.end()}});
  }
  return all;
}

constexpr SessionModel kThree{.turns = 3,
                              .fixed_turns = true,
                              .think_time = 5.0 * kSecond,
                              .fixed_think = true,
                              .system_tokens = 50};

TEST_CASE("sessions: turns by hand", "[workload][oracle]") {
  // 50 + 100 tokens first, then 20 of the answer and 100 more each time. Bounds: 5 s after the turn
  // before.
  const std::vector<Row> all = rows(kThree, {0.0 * kSecond, 7.0 * kSecond}, 16);
  const std::vector<std::tuple<double, int, int, bool, bool>> expected = {
      {0, 0, 150, false, false}, {5, 0, 270, true, false},  {7, 1, 150, false, false},
      {10, 0, 390, true, true},  {12, 1, 270, true, false}, {17, 1, 390, true, true}};
  REQUIRE(all.size() == expected.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& [at, session, input, follows, last] = expected[i];
    const Request& r = all[i].request;
    CHECK(r.arrival == SimTime::from(at * kSecond));
    CHECK(r.session == session);
    CHECK(r.input_tokens == input);
    CHECK(r.output_tokens == 20);
    CHECK(r.after_previous_answer == follows);
    CHECK(r.last_of_session == last);
  }
  // Whole blocks of 16: 9 of 150 tokens, 16 of 270, 24 of 390. Three of the system prompt's 50 are
  // everybody's.
  const auto shared = [&](std::size_t a, std::size_t b) {
    std::size_t n = 0;
    while (n < all[a].ids.size() && n < all[b].ids.size() && all[a].ids[n] == all[b].ids[n]) ++n;
    return n;
  };
  CHECK(all[0].ids.size() == 9);
  CHECK(all[1].ids.size() == 16);
  CHECK(all[3].ids.size() == 24);
  CHECK(shared(0, 1) == 9);
  CHECK(shared(1, 3) == 16);
  CHECK(shared(0, 2) == 3);
  CHECK(shared(3, 5) == 3);
  CHECK(rows(kThree, {0.0 * kSecond})[0].ids.empty());
}

TEST_CASE("sessions: one ends before the turn that would be too long", "[workload][oracle]") {
  // The second turn is 270 + 20 tokens, the third 390 + 20.
  SessionModel sessions = kThree;
  sessions.most_tokens = 409;
  const std::vector<Row> two = rows(sessions, {0.0 * kSecond});
  REQUIRE(two.size() == 2);
  CHECK(two[1].request.last_of_session);
  sessions.most_tokens = 410;
  CHECK(rows(sessions, {0.0 * kSecond}).size() == 3);
  sessions.most_tokens = 100;
  CHECK(rows(sessions, {0.0 * kSecond}).size() == 1);
}

TEST_CASE("sessions: numbers of turns and pauses have their means", "[workload][oracle]") {
  // Geometric from 1 with mean 4: deviation sqrt(4 * 3) = 3.46; five standard errors of 20,000
  // sessions are 0.122. Exponential pauses of mean 2 s: 60,000 of them, 5 * 2 / 245 = 0.041 s.
  const int sessions = 20'000;
  std::vector<Seconds> starts;
  for (int i = 0; i < sessions; ++i) starts.push_back(i * 1.0 * kSecond);
  const std::vector<Row> all = rows({.turns = 4, .think_time = 2.0 * kSecond}, starts);
  CHECK_THAT(static_cast<double>(all.size()) / sessions, WithinAbs(4.0, 0.122));
  std::map<std::int32_t, SimTime> before;
  double pauses = 0;
  SimTime last{};
  for (const Row& row : all) {
    CHECK(row.request.arrival >= last);
    last = row.request.arrival;
    if (row.request.after_previous_answer) {
      pauses += (row.request.arrival - before.at(row.request.session)).seconds() / kSecond;
    }
    before[row.request.session] = row.request.arrival;
  }
  CHECK_THAT(pauses / static_cast<double>(all.size() - starts.size()), WithinAbs(2.0, 0.041));
}

TEST_CASE("sessions: other pauses leave turns and lengths as they are", "[workload]") {
  const std::vector<Seconds> starts = {0.0 * kSecond, 1.0 * kSecond, 2.0 * kSecond};
  const auto inputs = [&](Seconds pause) {
    std::map<std::int32_t, std::vector<std::int32_t>> of;
    for (const Row& row : rows({.turns = 5, .think_time = pause}, starts)) {
      of[row.request.session].push_back(row.request.input_tokens);
    }
    return of;
  };
  CHECK(inputs(1.0 * kSecond) == inputs(100.0 * kSecond));
}

}  // namespace
}  // namespace moesim::workload
