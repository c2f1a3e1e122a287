// Sampling the experts' part of an iteration against a law that is known.
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "serving/sampled_experts.h"
#include "tests/support/catch.h"

namespace moesim::serving {
namespace {

std::vector<RankBatch> decoding(const std::vector<std::int32_t>& tokens) {
  std::vector<RankBatch> ranks(tokens.size());
  for (std::size_t r = 0; r < tokens.size(); ++r) ranks[r].decode_sequences = tokens[r];
  return ranks;
}

std::int64_t sum_of(const std::vector<RankBatch>& ranks) {
  std::int64_t sum = 0;
  for (const RankBatch& batch : ranks) sum += batch.tokens();
  return sum;
}

std::int64_t most_of(std::span<const RankBatch> ranks) {
  std::int64_t most = 0;
  for (const RankBatch& batch : ranks) most = std::max<std::int64_t>(most, batch.tokens());
  return most;
}

BatchKind one_kind(std::int64_t) { return {}; }

/// A world whose experts take exactly `time` seconds of the batch's tokens and largest rank, times
/// 1 + noise with mean 0.
template <class Time>
SampledExperts::Draw world(Time time, RandomStream& noise, double spread) {
  return [time, &noise, spread](std::span<const RankBatch> ranks) {
    std::int64_t tokens = 0;
    for (const RankBatch& batch : ranks) tokens += batch.tokens();
    ExpertRecord record;
    ExpertLayerTime layer;
    layer.slowest = time(static_cast<double>(tokens), static_cast<double>(most_of(ranks))) *
                    (1.0 + spread * noise.normal()) * kSecond;
    record.layers.push_back(layer);
    record.statistics.mean_load = {static_cast<double>(tokens)};
    record.statistics.max_load = {2.0 * static_cast<double>(tokens)};
    record.statistics.token_layers = static_cast<double>(tokens);
    record.statistics.copies_between_nodes = 3.0 * static_cast<double>(tokens);
    return record;
  };
}

double sampled(SampledExperts& experts, const std::vector<RankBatch>& ranks,
               const SampledExperts::Draw& draw) {
  return experts.sample(ranks, one_kind, draw)[0].slowest / kSecond;
}

}  // namespace

TEST_CASE("sampled experts: a batch is moved to other tokens") {
  std::vector<RankBatch> moved;
  // Mean 4, most 10: to mean 6, most 9, deviations shrink by 3 / 6.
  move_batch(decoding({10, 2, 2, 2}), 24, 9, moved);
  CHECK(moved[0].tokens() == 9);
  CHECK(moved[1].tokens() == 5);
  CHECK(moved[2].tokens() == 5);
  CHECK(moved[3].tokens() == 5);
  // The same again when nothing changes.
  move_batch(decoding({7, 0, 3, 5}), 15, 7, moved);
  CHECK(moved[0].tokens() == 7);
  CHECK(moved[1].tokens() == 0);
  CHECK(moved[2].tokens() == 3);
  CHECK(moved[3].tokens() == 5);
  // Even batches stay even.
  move_batch(decoding({4, 4, 4, 4}), 18, 5, moved);
  CHECK(sum_of(moved) == 18);
  CHECK(most_of(moved) == 5);
}

TEST_CASE("sampled experts: prompts keep their share when a batch is moved") {
  std::vector<RankBatch> ranks = decoding({10, 10});
  ranks[0] = {.decode_sequences = 4, .prefill_tokens = 12, .prefill_chunks = 1};
  std::vector<RankBatch> moved;
  move_batch(ranks, 52, 32, moved);  // 16 -> 32 and 10 -> 20
  CHECK(moved[0].prefill_tokens == 24);
  CHECK(moved[0].decode_sequences == 8);
  CHECK(moved[1].prefill_tokens == 0);
  CHECK(moved[1].decode_sequences == 20);
}

TEST_CASE("sampled experts: tokens to verify are moved as tokens, not as sequences") {
  // 5 and 2 sequences of 3 tokens: 15 and 6 tokens, mean 10.5. To mean 14, most 20: deviations
  // stretch by 6 / 4.5, and 14 - 6 = 8 tokens are left for the other rank, whatever the window.
  std::vector<RankBatch> ranks = decoding({5, 2});
  for (RankBatch& batch : ranks) batch.decode_queries = 3;
  std::vector<RankBatch> moved;
  move_batch(ranks, 28, 20, moved);
  CHECK(moved[0].tokens() == 20);
  CHECK(moved[1].tokens() == 8);
}

TEST_CASE("sampled experts: sums and maxima are met wherever ranks do not run empty") {
  RandomStream random(1, "batches");
  std::vector<RankBatch> moved;
  for (int i = 0; i < 500; ++i) {
    std::vector<std::int32_t> tokens(1 + random.below(20));
    for (std::int32_t& n : tokens) n = 20 + static_cast<std::int32_t>(random.below(30));
    const std::vector<RankBatch> ranks = decoding(tokens);
    const std::int64_t sum = sum_of(ranks) * 17 / 16;
    const auto count = std::ssize(ranks);
    const std::int64_t largest = std::max(most_of(ranks), (sum + count - 1) / count);
    move_batch(ranks, sum, largest, moved);
    REQUIRE(sum_of(moved) == sum);
    if (most_of(ranks) * count > sum_of(ranks)) REQUIRE(most_of(moved) == largest);
  }
}

TEST_CASE("sampled experts: what is linear in tokens and in the fullest rank comes back exactly") {
  RandomStream noise(1, "noise");
  const auto time = [](double n, double most) { return 1.0 + 0.01 * n + 0.1 * most; };
  const auto draw = world(time, noise, 0.0);
  SampledExperts experts(1, 0);
  RandomStream random(2, "batches");
  for (int i = 0; i < 300; ++i) {
    std::vector<std::int32_t> tokens(8);
    for (std::int32_t& n : tokens) n = 100 + static_cast<std::int32_t>(random.below(60));
    const auto ranks = decoding(tokens);
    const double exact =
        time(static_cast<double>(sum_of(ranks)), static_cast<double>(most_of(ranks)));
    // Corners hold whole tokens: half a token of the fullest rank at most, and the even share is
    // rounded up: one more.
    CHECK(sampled(experts, ranks, draw) == Approx(exact).margin(0.1 * 1.5));
  }
}

TEST_CASE("sampled experts: mean and spread of single iterations are kept") {
  // Time 1 + N / 100 with a spread of 5 %; N = 37 lies between the nodes 36 and 40. 16 records of a
  // corner: its mean is known to 5 % / 4 = 1.25 %; two corners share the batch, so three standard
  // errors are at most 3.8 %. Their spread, from 2 * 16 records: relative error 1 / sqrt(2 * 31) =
  // 13 %, three of them 38 %.
  RandomStream noise(3, "noise");
  const auto draw = world([](double n, double) { return 1.0 + n / 100.0; }, noise, 0.05);
  SampledExperts experts(1, 0);
  const auto ranks = decoding({10, 9, 9, 9});
  double sum = 0;
  double squares = 0;
  constexpr int kIterations = 20'000;
  for (int i = 0; i < kIterations; ++i) {
    const double t = sampled(experts, ranks, draw);
    sum += t;
    squares += t * t;
  }
  const double mean = sum / kIterations;
  const double spread = std::sqrt(squares / kIterations - mean * mean) / mean;
  CHECK(mean == Approx(1.37).epsilon(0.038));
  CHECK(spread == Approx(0.05).epsilon(0.38));
  CHECK(experts.draws() <= 4 * 16);
  CHECK(experts.samples() == kIterations);
}

TEST_CASE("sampled experts: counts of the run are those of its tokens") {
  RandomStream noise(3, "noise");
  const auto draw = world([](double, double) { return 1.0; }, noise, 0.1);
  SampledExperts experts(1, 0);
  double served = 0;
  for (int i = 0; i < 200; ++i) {
    const auto ranks = decoding({10 + i % 40, 9, 9, 9});
    (void)experts.sample(ranks, one_kind, draw);
    served += static_cast<double>(sum_of(ranks));
    if (i == 100) experts.forget();
  }
  ExpertStatistics counted;
  counted.mean_load = {0.0};
  counted.max_load = {0.0};
  experts.add_statistics(counted);
  CHECK(counted.token_layers == Approx(served));
  CHECK(counted.mean_load[0] == Approx(served));
  CHECK(counted.max_load[0] == Approx(2.0 * served));
  CHECK(counted.copies_between_nodes == Approx(3.0 * served));
}

TEST_CASE("sampled experts: equal seeds give equal times, records are forgotten on demand") {
  const auto run = [](std::uint64_t seed) {
    RandomStream noise(3, "noise");
    const auto draw = world([](double n, double) { return n; }, noise, 0.1);
    SampledExperts experts(seed, 0);
    std::vector<double> times;
    for (int i = 0; i < 100; ++i) {
      times.push_back(sampled(experts, decoding({50 + i, 40, 41}), draw));
      if (i == 50) experts.forget();
    }
    return times;
  };
  CHECK(run(1) == run(1));
  CHECK(run(1) != run(2));
}

}  // namespace moesim::serving
