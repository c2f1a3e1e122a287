// The fast path against the flows on source-to-destination matrices of recorded routing.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "net/collective_flows.h"
#include "net/exchange_estimate.h"
#include "net/flow_runs.h"
#include "tests/support/catch.h"
#include "tests/support/exchange_worlds.h"

namespace moesim::net {
namespace {

using test::BenchCopies;
using test::BenchWorkload;
using test::Wiring;
using topology::Topology;

constexpr Bytes kCopy = 7168.0 * kByte;

struct Agreement {
  std::int64_t cases = 0;
  double sum = 0;
  double worst = 0;
  double bare_sum = 0;  ///< Of the busiest link alone: how much lower than the flows.
  double bare_worst = 0;
  void add(double full, double fast, double bare) {
    ++cases;
    sum += std::abs(fast / full - 1.0);
    worst = std::max(worst, std::abs(fast / full - 1.0));
    bare_sum += 1.0 - bare / full;
    bare_worst = std::max(bare_worst, 1.0 - bare / full);
  }
  [[nodiscard]] double mean() const { return sum / static_cast<double>(cases); }
};

/// One cluster and expert group with both paths to the same answer.
class Bench {
 public:
  Bench(std::int64_t ranks, Wiring wiring)
      : topology_(test::exchange_cluster(ranks / 8, wiring)),
        fabric_(topology_),
        group_(group(ranks)),
        hierarchical_(topology_, all_to_all_pairs(topology_, group_)),
        direct_(topology_, direct_pairs(group_)) {}

  void compare(const BenchCopies& copies, bool direct, Agreement& agreement) {
    std::vector<std::int32_t> counts = copies.direct;
    CollectiveFlows flows;
    if (direct) {
      flows = direct_all_to_all_flows(topology_, group_, copies.direct, kCopy);
    } else {
      flows = all_to_all_flows(topology_, group_,
                               {.domains = static_cast<std::int64_t>(group_.size() / 8),
                                .peers = 8,
                                .to_domain = copies.to_node,
                                .inside = copies.inside},
                               kCopy);
      counts = copies.to_node;
      counts.insert(counts.end(), copies.inside.begin(), copies.inside.end());
    }
    const double full = (time_alone(fabric_, flows) - flows.phases[0].latency) / 1.0_us;
    const double fast = (direct ? direct_ : hierarchical_).time(counts, kCopy) / 1.0_us;
    agreement.add(full, fast, busiest_link(flows));
  }

 private:
  static std::vector<GpuId> group(std::int64_t ranks) {
    std::vector<GpuId> all;
    for (std::int64_t g = 0; g < ranks; ++g) all.emplace_back(g);
    return all;
  }
  double busiest_link(const CollectiveFlows& flows) const {
    std::vector<double> microseconds(topology_.links().size(), 0.0);
    for (const Transfer& t : flows.phases[0].transfers) {
      for (const LinkId link : topology_.path(t.from, t.to)) {
        microseconds[link.index()] += t.bytes / topology_.links()[link.index()].bandwidth / 1.0_us;
      }
    }
    return *std::max_element(microseconds.begin(), microseconds.end());
  }

  Topology topology_;
  Fabric fabric_;
  std::vector<GpuId> group_;
  ExchangeEstimate hierarchical_;
  ExchangeEstimate direct_;
};

TEST_CASE("exchange_estimate: agrees with the flows on matrices of recorded routing",
          "[net][oracle]") {
  const auto names = test::bench_workload_names();
  if (names.empty()) {
    WARN("skipped: no placement_bench beside the checkout (MOESIM_SHARED_DIR)");
    return;
  }
  std::vector<BenchWorkload> workloads;
  for (const auto& name : names) workloads.push_back(test::read_bench_workload(name, "trace_eval"));
  std::string table;
  for (const std::int64_t ranks : {32, 72, 144, 320}) {
    for (const Wiring wiring :
         {Wiring::Rails, Wiring::NarrowRails, Wiring::NarrowLeaves, Wiring::WideLeaves}) {
      Bench bench(ranks, wiring);
      for (const bool direct : {false, true}) {
        Agreement agreement;
        for (const BenchWorkload& w : workloads) {
          // The large ones on fewer of the 16 layers, to stay within a minute.
          const std::size_t step = ranks == 32 ? 2 : ranks == 72 ? 4 : ranks == 144 ? 8 : 16;
          for (std::size_t layer = 0; layer < w.trace_layers.size(); layer += step) {
            for (const bool balanced : {false, true}) {
              const auto experts =
                  test::bench_placement(w, layer, ranks == 320 ? 320 : 288, ranks, balanced);
              for (const bool by_request : {false, true}) {
                bench.compare(count_copies(w, layer, experts, ranks, by_request), direct,
                              agreement);
              }
            }
          }
        }
        char line[160];
        std::snprintf(line, sizeof(line),
                      "%3d ranks, %-10s %-12s %3d cases: fast off %.2f %% mean, %.2f %% worst; "
                      "busiest link low %.2f %%, %.2f %%\n",
                      static_cast<int>(ranks), word_of(wiring), direct ? "direct" : "hierarchical",
                      static_cast<int>(agreement.cases), 100 * agreement.mean(),
                      100 * agreement.worst,
                      100 * agreement.bare_sum / static_cast<double>(agreement.cases),
                      100 * agreement.bare_worst);
        table += line;
        INFO(line);
        CHECK(agreement.mean() < 0.03);
        CHECK(agreement.worst < 0.08);
      }
    }
  }
  WARN(table);
}

}  // namespace
}  // namespace moesim::net
