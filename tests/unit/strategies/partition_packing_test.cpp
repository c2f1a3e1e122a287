#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/random.h"
#include "strategies/partition_drift.h"
#include "strategies/partition_packing.h"
#include "strategies/partition_settle.h"
#include "tests/support/catch.h"

namespace moesim::strategies {
namespace {

std::vector<std::int32_t> one_each(std::size_t experts) {
  std::vector<std::int32_t> slots(experts);
  std::iota(slots.begin(), slots.end(), 0);
  return slots;
}

TEST_CASE("packing: two slots a GPU, the heaviest goes with the lightest", "[partition][oracle]") {
  // 9+1, 8+2, 6+4: fullest 10. Any other pairing has a GPU above 10.
  Packer packer(2, 1);
  const std::vector<double> share = {9, 8, 6, 4, 2, 1};
  CHECK(packer.pack(one_each(6), share, 10.0));
  CHECK(packer.fullest() == 10.0);
  CHECK_FALSE(packer.pack(one_each(6), share, 9.9));
}

TEST_CASE("packing: an expert's two replicas that would meet go apart", "[partition][oracle]") {
  // Sorted: 5, 3, 3, 1 with both 3 the same expert. The ends 5+1 leave 3+3 on one GPU: not allowed,
  // so 5+3 and 3+1.
  Packer packer(2, 1);
  const std::vector<std::int32_t> slots = {0, 1, 1, 2};
  const std::vector<double> share = {5, 3, 1};
  CHECK(packer.pack(slots, share, 8.0));
  CHECK(packer.fullest() == 8.0);
  CHECK(packer.gpu_of()[1] != packer.gpu_of()[2]);
}

TEST_CASE("packing: the fullest GPU in the fullest of two workloads counts",
          "[partition][oracle]") {
  // Experts 0 and 1 are hot in the first workload, 2 and 3 in the second: a hot one of each per GPU
  // gives 4 in both.
  Packer packer(2, 2);
  const std::vector<double> share = {3, 1, 3, 1, 1, 3, 1, 3};
  CHECK(packer.pack(one_each(4), share, 4.0));
  CHECK(packer.fullest() == 4.0);
}

/// The least fullest GPU of any pairing.
double best_pairing(std::vector<double> loads) {
  std::sort(loads.begin(), loads.end());
  double best = 1e300;
  do {
    double most = 0.0;
    for (std::size_t i = 0; i < loads.size(); i += 2)
      most = std::max(most, loads[i] + loads[i + 1]);
    best = std::min(best, most);
  } while (std::next_permutation(loads.begin(), loads.end()));
  return best;
}

TEST_CASE("packing: no pairing beats the sorted ends", "[partition][property]") {
  CHECK(rc::check([] {
    RandomStream stream(*rc::gen::arbitrary<std::uint64_t>(), "packing test");
    std::vector<double> share(6);
    for (double& s : share) s = stream.uniform();
    Packer packer(2, 1);
    packer.pack(one_each(6), share, 1.0);
    RC_ASSERT(packer.fullest() <= best_pairing(share) * (1.0 + 1e-12));
  }));
}

TEST_CASE("packing: every GPU is full of slots, none holds an expert twice",
          "[partition][property]") {
  CHECK(rc::check([] {
    const auto gpus = *rc::gen::inRange<std::size_t>(1, 6);
    const auto room = *rc::gen::inRange<std::size_t>(1, 6);
    const auto workloads = *rc::gen::inRange<std::size_t>(1, 3);
    RandomStream stream(*rc::gen::arbitrary<std::uint64_t>(), "packing test");
    // Replicas of each expert one after the other, at most one per GPU.
    std::vector<std::int32_t> slots;
    std::int32_t expert = 0;
    while (slots.size() < gpus * room) {
      const std::size_t left = gpus * room - slots.size();
      slots.insert(slots.end(), std::min<std::size_t>(left, 1 + stream.below(gpus)), expert++);
    }
    std::vector<double> share(static_cast<std::size_t>(expert) * workloads);
    for (double& s : share) s = stream.exponential();
    Packer packer(room, workloads);
    packer.pack(slots, share, 0.5 * static_cast<double>(room));
    for (std::size_t g = 0; g < gpus; ++g) {
      std::vector<std::int32_t> held;
      for (const std::size_t s : packer.slots_of(g)) {
        RC_ASSERT(packer.gpu_of()[s] == g);
        held.push_back(slots[s]);
      }
      std::sort(held.begin(), held.end());
      RC_ASSERT(std::adjacent_find(held.begin(), held.end()) == held.end());
    }
  }));
}

/// Mean over draws of the fullest GPU when loads drift.
double drifted_maximum(const std::vector<std::int32_t>& slots, const std::vector<double>& share,
                       std::size_t room, double noise) {
  RandomStream stream(7, "drift test");
  double sum = 0.0;
  constexpr int kDraws = 4000;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<double> now = share;
    for (double& s : now) s *= std::exp(noise * stream.normal());
    double most = 0.0;
    for (std::size_t g = 0; g < slots.size(); g += room) {
      double load = 0.0;
      for (std::size_t s = g; s < g + room; ++s) load += now[static_cast<std::size_t>(slots[s])];
      most = std::max(most, load);
    }
    sum += most;
  }
  return sum / kDraws;
}

TEST_CASE("drift: of two plans the one with less risk has the smaller fullest GPU later",
          "[partition]") {
  // Loads 4 4 4 4 and 1 (16 times). Spread: one hot on each of four GPUs. Heaped: two and two.
  const std::vector<double> share = {4, 4, 4, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  const std::vector<std::int32_t> spread = {0, 4,  5,  6,  7,  1, 8,  9,  10, 11,
                                            2, 12, 13, 14, 15, 3, 16, 17, 18, 19};
  const std::vector<std::int32_t> heaped = {0,  1,  4,  5,  6,  2,  3,  7,  8,  9,
                                            10, 11, 12, 13, 14, 15, 16, 17, 18, 19};
  const DriftRisk risk(spread, share, 5, {0.0, 0.0});
  DriftRisk::Sums sums{};
  for (std::size_t g = 0; g < 4; ++g) {
    DriftRisk::Sums load{};
    for (std::size_t s = 5 * g; s < 5 * g + 5; ++s) {
      for (std::size_t i = 0; i < load.size(); ++i) {
        load[i] += risk.effective(static_cast<std::size_t>(heaped[s]))[i];
      }
    }
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += risk.of_gpu(load)[i];
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    CHECK(sums[i] > risk.limit()[i]);
    CHECK(drifted_maximum(heaped, share, 5, DriftRisk::kNoise[i]) >
          drifted_maximum(spread, share, 5, DriftRisk::kNoise[i]));
  }
}

TEST_CASE("settling: two hot experts on one GPU part", "[partition][oracle]") {
  // GPUs {4,4,1} and {1,1,1}, nothing else changes the risk more than 4 against 1: 6 and 6.
  const std::vector<double> share = {4, 4, 1, 1, 1, 1};
  std::vector<std::int32_t> slots = {0, 1, 2, 3, 4, 5};
  const DriftRisk risk(slots, share, 3, {0.0, 0.0});
  CHECK(settle(slots, share, 3, risk, 9.0, 10) == 1);
  const auto hot = [&](std::size_t first) {
    return std::count_if(slots.begin() + static_cast<std::ptrdiff_t>(first),
                         slots.begin() + static_cast<std::ptrdiff_t>(first) + 3,
                         [](std::int32_t e) { return e < 2; });
  };
  CHECK(hot(0) == 1);
  CHECK(hot(3) == 1);
}

TEST_CASE("settling: no GPU is filled beyond its cap", "[partition][property]") {
  CHECK(rc::check([] {
    RandomStream stream(*rc::gen::arbitrary<std::uint64_t>(), "settle test");
    std::vector<double> share(12);
    for (double& s : share) s = stream.exponential();
    std::vector<std::int32_t> slots = one_each(12);
    double full = 0.0;
    const auto fullest = [&] {
      double most = 0.0;
      for (std::size_t s = 0; s < 12; s += 3) {
        double load = 0.0;
        for (std::size_t i = s; i < s + 3; ++i) load += share[static_cast<std::size_t>(slots[i])];
        most = std::max(most, load);
      }
      return most;
    };
    full = fullest();
    const DriftRisk risk(slots, share, 3, {0.0, 0.0});
    settle(slots, share, 3, risk, full, 20);
    RC_ASSERT(fullest() <= full * (1.0 + 1e-12));
    std::sort(slots.begin(), slots.end());
    RC_ASSERT(slots == one_each(12));
  }));
}

}  // namespace
}  // namespace moesim::strategies
