// Runs whose experts are sampled against exact runs of the same scenarios, which are meant to have
// little in common: sizes of the expert group, pools, prompts and decoding, drafts, overlap.
//
// Bounds: throughput within 1 %, 99th percentile of TPOT within 2 %; means over seeds where an open
// loop's slowest requests differ by more than that between seeds of exact runs.
// docs/models/sampled.md holds the figures.
#include <string>
#include <vector>

#include "scenario/catalog_reader.h"
#include "scenario/scenario_reader.h"
#include "sweep/run_scenario.h"
#include "tests/support/catch.h"

namespace moesim::sweep {
namespace {

using moesim::test::WithinRel;

struct Compared {
  std::string file;
  std::vector<std::string> overrides;
  int seeds = 1;
};

/// Means over seeds.
struct Figures {
  double arrived = 0;
  double output_tokens_per_s = 0;
  double tpot_p99_ms = 0;
  double end_to_end_ms = 0;
};

const std::vector<Compared>& compared() {
  static const std::string drafts =
      "deployment.speculative.acceptance=[0.85, 0.8, 0.7]";  // three a step
  static const std::vector<Compared> kAll{
      {"deepseek_v3_h800_decode_ep144",
       {"workload.concurrency=1152", "simulation.max_requests=1152"}},
      {"deepseek_v3_h800_decode_ep144",
       {"workload.concurrency=1152", "simulation.max_requests=1152", drafts}},
      {"deepseek_v3_h200_2p2d", {}},
      {"deepseek_v3_h800_decode_ep144",
       {"workload.concurrency=1152", "simulation.max_requests=1152",
        "deployment.overlap.comm_sms=24"}},
      {"deepseek_v3_h800_prefill_ep32", {}},
      {"kimi_k2_b200", {"simulation.duration=100 s"}},
      {"qwen3_235b_h100_ep8", {"workload.rate_scale=1"}, 4},
      {"mixtral_8x7b_h100_tp2", {}},
  };
  return kAll;
}

TEST_CASE("sampled runs agree with exact ones on throughput and the slowest requests' gaps",
          "[sweep][slow]") {
  const std::string scenarios = std::string(MOESIM_SOURCE_DIR) + "/scenarios/";
  const catalog::Catalog catalog = scenario::read_catalog(scenarios + "catalog");
  for (const Compared& one : compared()) {
    const auto run = [&](const char* fidelity) {
      Figures mean;
      for (int seed = 1; seed <= one.seeds; ++seed) {
        std::vector<std::string> overrides = one.overrides;
        overrides.push_back(std::string("simulation.fidelity=") + fidelity);
        overrides.push_back("simulation.seed=" + std::to_string(seed));
        const serving::Summary s =
            run_scenario(
                scenario::read_scenario_file(scenarios + one.file + ".txtpb", overrides, catalog))
                .run.summary;
        const double share = 1.0 / one.seeds;
        mean.arrived += share * static_cast<double>(s.requests_arrived);
        mean.output_tokens_per_s += share * s.output_tokens_per_s;
        mean.tpot_p99_ms += share * s.tpot.p99_ms;
        mean.end_to_end_ms += share * s.end_to_end.mean_ms;
      }
      return mean;
    };
    const Figures exact = run("EXACT");
    const Figures sampled = run("SAMPLED");
    INFO(one.file << " " << (one.overrides.empty() ? "" : one.overrides.back()));
    CHECK(sampled.arrived == exact.arrived);
    CHECK_THAT(sampled.output_tokens_per_s, WithinRel(exact.output_tokens_per_s, 0.01));
    CHECK_THAT(sampled.tpot_p99_ms, WithinRel(exact.tpot_p99_ms, 0.02));
    // The draws are not those of the exact run: were they, nothing would have been sampled.
    CHECK(sampled.end_to_end_ms != exact.end_to_end_ms);
  }
}

}  // namespace
}  // namespace moesim::sweep
