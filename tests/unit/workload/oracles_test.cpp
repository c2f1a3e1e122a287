// Reads whole published traces that lie beside the checkout and compares with their oracles.
#include <simdjson.h>

#include <filesystem>
#include <string>

#include "core/percentile.h"
#include "tests/support/catch.h"
#include "workload/statistics.h"
#include "workload/trace_reader.h"

namespace moesim::workload {
namespace {

using namespace moesim::literals;
using moesim::test::WithinAbs;

void check_percentiles(const simdjson::dom::element& oracle,
                       const std::vector<std::int32_t>& sorted) {
  for (const auto [percent, value] : simdjson::dom::object(oracle)) {
    CAPTURE(std::string(percent));
    CHECK(percentile(sorted, std::stod(std::string(percent))) == std::int64_t(value));
  }
}

TEST_CASE("published traces: counts, totals, percentiles and burstiness equal the oracles",
          "[workload][oracle]") {
  const std::string folder = std::string(MOESIM_SHARED_DIR) + "/traces/";
  if (!std::filesystem::exists(folder + "oracles.json")) {
    WARN("skipped: the published traces are not beside the checkout");
    return;
  }
  simdjson::dom::parser parser;
  const simdjson::dom::element oracles = parser.load(folder + "oracles.json");
  const char* name =
      GENERATE("azure2023/AzureLLMInferenceTrace_conv.csv", "azure2023/code_first40min.csv",
               "mooncake/conversation_first40min.jsonl");
  CAPTURE(name);
  const simdjson::dom::element oracle = oracles["files"][name];
  const Trace trace = read_trace_file(folder + name, TraceFormat::Auto, {});
  const TraceSummary summary = summarize(trace.requests);
  CHECK(trace.bad_row_count == 0);
  CHECK(summary.requests == std::int64_t(oracle["requests"]));
  CHECK(summary.span == SimTime::from(double(oracle["span_s"]) * 1_s));
  CHECK(summary.equal_arrivals == std::int64_t(oracle["equal_timestamp_pairs"]));
  CHECK(summary.input.total == std::int64_t(oracle["input_tokens_total"]));
  CHECK(summary.output.total == std::int64_t(oracle["output_tokens_total"]));
  CHECK(summary.input.max == std::int64_t(oracle["input_max"]));
  CHECK(summary.output.max == std::int64_t(oracle["output_max"]));
  // The oracles are printed with 4 to 6 decimals.
  CHECK_THAT(summary.mean_rate_per_s, WithinAbs(double(oracle["mean_rate_per_s"]), 1e-6));
  CHECK_THAT(summary.gap_cv, WithinAbs(double(oracle["iat_cv_population"]), 1e-4));
  check_percentiles(oracle["input_percentiles_nearest_rank"], sorted_inputs(trace.requests));
  check_percentiles(oracle["output_percentiles_nearest_rank"], sorted_outputs(trace.requests));
  const simdjson::dom::element spread = oracle["dispersion_population"];
  CHECK_THAT(dispersion(trace.requests, SimTime::from(10_s)),
             WithinAbs(double(spread["10s"]), 1e-4));
  // The oracle counts arrivals exactly on the end of the last full bin into it. Mooncake's batches
  // every 3 s meet that edge in bins of 1 s and 60 s; with Azure's times it makes no difference.
  if (std::string_view(name).starts_with("azure")) {
    CHECK_THAT(dispersion(trace.requests, SimTime::from(1_s)),
               WithinAbs(double(spread["1s"]), 1e-4));
    CHECK_THAT(dispersion(trace.requests, SimTime::from(60_s)),
               WithinAbs(double(spread["60s"]), 1e-4));
  }
  if (simdjson::dom::element prefix; oracle["prefix"].get(prefix) == simdjson::SUCCESS) {
    CHECK(trace.hash_block_tokens == std::int64_t(prefix["block_tokens"]));
    CHECK(static_cast<std::int64_t>(trace.hash_ids.size()) ==
          std::int64_t(prefix["block_references"]));
  }
}

}  // namespace
}  // namespace moesim::workload
