#include "routing/token_bank.h"

#include <rapidcheck.h>

#include <cmath>
#include <vector>

#include "routing/affinity_model.h"
#include "routing/popularity.h"
#include "tests/support/catch.h"

namespace moesim::routing {
namespace {

/// Layer l, token t: experts (t + l + i) mod 10 for i = 0..2; requests of five tokens.
TokenTrace toy_trace(std::int64_t tokens) {
  TokenTrace trace{.experts = 10, .top_k = 3, .layer = {0, 1}, .request = {}, .expert = {}};
  for (std::int64_t t = 0; t < tokens; ++t) {
    trace.request.push_back(static_cast<std::uint64_t>(t / 5));
  }
  for (std::int64_t l = 0; l < 2; ++l) {
    for (std::int64_t t = 0; t < tokens; ++t) {
      for (std::int64_t i = 0; i < 3; ++i) {
        trace.expert.push_back(static_cast<std::uint16_t>((t + l + i) % 10));
      }
    }
  }
  return trace;
}

TEST_CASE("TokenBank: gives a token's experts by layer and index", "[routing][oracle]") {
  const TokenBank bank(toy_trace(12));
  CHECK(bank.tokens() == 12);
  CHECK(bank.layers() == 2);
  CHECK(bank.experts(0, 4)[0] == 4);
  CHECK(bank.experts(1, 4)[2] == 7);
  CHECK(bank.first_of_request(7) == 5);
  CHECK(bank.first_of_request(11) == 10);
  CHECK(bank.follow(10, 3) == 1);
  std::vector<int> seen;
  bank.visit_run(1, 10, 14, [&](const std::uint16_t* e) { seen.push_back(e[0]); });
  CHECK(seen == std::vector<int>{1, 2, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2});
}

TEST_CASE("TokenBank: visits the tokens it is given, in order", "[routing]") {
  const TokenBank bank(toy_trace(100));
  RandomStream stream(1, "bank");
  std::vector<std::uint32_t> tokens;
  for (int i = 0; i < 77; ++i) tokens.push_back(bank.pick(stream));
  std::size_t at = 0;
  bool same = true;
  bank.visit(1, tokens,
             [&](const std::uint16_t* e) { same &= e == bank.experts(1, tokens[at++]); });
  CHECK(same);
  CHECK(at == 77);
  for (int i = 0; i < 50; ++i) CHECK(bank.pick_request(stream) % 5 == 0);
}

TEST_CASE("WindowCounts: counts what a walk through the window counts", "[routing][property]") {
  for (const std::int64_t size : {30, 64, 500, 1000}) {
    const TokenBank bank(toy_trace(size));
    const WindowCounts windows(bank);
    CHECK(rc::check([&] {
      const auto layer = *rc::gen::inRange<std::int64_t>(0, 2);
      const auto first = static_cast<std::uint32_t>(*rc::gen::inRange<std::int64_t>(0, size));
      const auto tokens = *rc::gen::inRange<std::int64_t>(0, 3 * size);
      std::vector<std::int32_t> expected(10, 1);
      bank.visit_run(layer, first, tokens, [&](const std::uint16_t* e) {
        for (int i = 0; i < 3; ++i) ++expected[e[i]];
      });
      std::vector<std::int32_t> count(10, 1);
      windows.add(layer, first, tokens, count);
      RC_ASSERT(count == expected);
    }));
  }
}

TEST_CASE("WindowCounts: a window above 65,536 tokens does not wrap", "[routing]") {
  // Every token of a bank of 70,000 chooses expert 3: the whole counts 70,000, not 4,464.
  TokenTrace trace{.experts = 4,
                   .top_k = 1,
                   .layer = {0},
                   .request = std::vector<std::uint64_t>(70'000, 0),
                   .expert = std::vector<std::uint16_t>(70'000, 3)};
  const TokenBank bank(std::move(trace));
  std::vector<std::int32_t> count(4, 0);
  WindowCounts(bank).add(0, 0, 140'000, count);
  CHECK(count == std::vector<std::int32_t>{0, 0, 0, 140'000});
}

TEST_CASE("TokenBank: picks keep the load of the tokens", "[routing]") {
  const RoutingShape shape{.moe_layers = 2, .experts = 64, .top_k = 4};
  const Popularity popularity = lognormal(shape, {.sigma = 0.7}, 1);
  const TokenBank bank(draw_tokens(shape, popularity, {}, 8192, 1));
  RandomStream stream(2, "bank");
  std::vector<std::uint32_t> tokens(200'000);
  for (std::uint32_t& t : tokens) t = bank.pick(stream);
  std::vector<double> count(64, 0.0);
  bank.visit(1, tokens, [&](const std::uint16_t* e) {
    for (int i = 0; i < 4; ++i) count[e[i]] += 1.0;
  });
  double worst = 0.0;  // Of 64 z-scores, plus what the fit leaves.
  for (std::size_t e = 0; e < 64; ++e) {
    const double p = popularity.share[64 + e] * 4;
    const double sd = std::sqrt(2e5 * p * (1 - p)) + 0.02 * 2e5 * p;
    worst = std::max(worst, std::abs(count[e] - 2e5 * p) / sd);
  }
  CHECK(worst < 4.0);
}

}  // namespace
}  // namespace moesim::routing
