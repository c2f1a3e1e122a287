// Compares generated requests with the fitted models that lie beside the checkout, and the shipped
// traces with the models fitted to the whole of them.
#include <simdjson.h>

#include <cmath>
#include <filesystem>
#include <string>

#include "tests/support/catch.h"
#include "workload/generator.h"
#include "workload/statistics.h"

namespace moesim::workload {
namespace {

using namespace moesim::literals;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

std::vector<double> numbers(simdjson::dom::element list) {
  std::vector<double> all;
  for (const simdjson::dom::element value : simdjson::dom::array(list)) all.emplace_back(value);
  return all;
}

GridLength grid(simdjson::dom::element element) {
  return {.levels = numbers(element["levels"]), .tokens = numbers(element["tokens"])};
}

WorkloadModel model_from(simdjson::dom::element element) {
  WorkloadModel model;
  const simdjson::dom::element arrivals = element["arrivals"];
  if (std::string_view(arrivals["kind"]) == "mmpp") {
    Mmpp chain;
    chain.bin = double(arrivals["bin_s"]) * 1_s;
    for (const double rate : numbers(arrivals["state_rate_per_s"])) {
      chain.rates.push_back(rate * 1_per_s);
    }
    for (const auto row : simdjson::dom::array(arrivals["transition_per_bin"])) {
      chain.transition.push_back(numbers(row));
    }
    chain.stationary = numbers(arrivals["stationary"]);
    model.arrivals = chain;
  } else {
    model.arrivals = GammaRenewal{.shape = double(arrivals["shape"])};
  }
  if (simdjson::dom::element curve; element["rate_curve"].get(curve) == simdjson::SUCCESS) {
    model.curve = RateCurve{.step = double(curve["step_s"]) * 1_s,
                            .multiplier = numbers(curve["multiplier"]),
                            .start = ""};
  }
  model.default_rate = double(element["default_rate_per_s"]) * 1_per_s;
  model.input = grid(element["input"]);
  model.output = grid(element["output"]);
  double correlation = 0.0;
  if (element["rank_corr_in_out"].get(correlation) == simdjson::SUCCESS) {
    model.rank_correlation = correlation;
  }
  return model;
}

/// Mean of a log-linear grid: between two levels the integral of a exp(w log(b/a)) is
/// (b - a)/log(b/a).
double grid_mean(const GridLength& law) {
  double mean =
      law.levels.front() * law.tokens.front() + (1.0 - law.levels.back()) * law.tokens.back();
  for (std::size_t i = 1; i < law.levels.size(); ++i) {
    const double a = std::max(1.0, law.tokens[i - 1]);
    const double b = std::max(1.0, law.tokens[i]);
    const double piece = b > a ? (b - a) / std::log(b / a) : a;
    mean += (law.levels[i] - law.levels[i - 1]) * piece;
  }
  return mean;
}

double standard_deviation(const std::vector<std::int32_t>& values, double mean) {
  double sum = 0.0;
  for (const std::int32_t value : values) sum += (value - mean) * (value - mean);
  return std::sqrt(sum / static_cast<double>(values.size()));
}

TEST_CASE("fitted models: generated lengths and rates have the means of the model",
          "[workload][oracle]") {
  const std::string path = std::string(MOESIM_SHARED_DIR) + "/traces/models/workload_models.json";
  if (!std::filesystem::exists(path)) {
    WARN("skipped: the fitted models are not beside the checkout");
    return;
  }
  simdjson::dom::parser parser;
  const simdjson::dom::element models = parser.load(path)["models"];
  const char* name = GENERATE("chat_steady", "chat_diurnal", "code_completion_bursty",
                              "code_diurnal", "long_context_chat", "rag_campus", "api_mixed_large");
  CAPTURE(name);
  const WorkloadModel model = model_from(models[name]);
  REQUIRE(check_model(model).empty());
  constexpr int kRequests = 20'000;
  std::vector<Request> requests;
  const auto source = make_generated_source(model, {.seed = 11, .max_requests = kRequests});
  while (const auto request = source->next()) requests.push_back(*request);
  const TraceSummary summary = summarize(requests);
  // Five standard errors, plus half a token of rounding.
  const auto margin = [&](const std::vector<std::int32_t>& lengths, double mean) {
    return 5.0 * standard_deviation(lengths, mean) / std::sqrt(double(kRequests)) + 0.5;
  };
  const double input = grid_mean(std::get<GridLength>(*model.input));
  const double output = grid_mean(std::get<GridLength>(*model.output));
  CHECK_THAT(summary.input.mean, WithinAbs(input, margin(sorted_inputs(requests), input)));
  CHECK_THAT(summary.output.mean, WithinAbs(output, margin(sorted_outputs(requests), output)));
  CHECK_THAT(mean_length(*model.input), WithinRel(input, 0.01));
}

TEST_CASE("fitted models: bursts of the generated hour are those of the trace",
          "[workload][oracle]") {
  const std::string path = std::string(MOESIM_SHARED_DIR) + "/traces/models/workload_models.json";
  if (!std::filesystem::exists(path)) {
    WARN("skipped: the fitted models are not beside the checkout");
    return;
  }
  simdjson::dom::parser parser;
  const simdjson::dom::element models = parser.load(path)["models"];
  const WorkloadModel model = model_from(models["chat_steady"]);
  // Mean over 20 generated hours against the published hour: rate 5.53/s; dispersion 1.39 at 1 s
  // and 16.1 at 60 s (a single hour scatters widely at 60 s).
  double rate = 0.0;
  double short_bins = 0.0;
  double long_bins = 0.0;
  constexpr int kHours = 20;
  for (std::uint64_t seed = 1; seed <= kHours; ++seed) {
    std::vector<Request> requests;
    const auto source = make_generated_source(model, {.seed = seed, .duration = 1_h});
    while (const auto request = source->next()) requests.push_back(*request);
    rate += static_cast<double>(requests.size()) / 3600.0 / kHours;
    short_bins += dispersion(requests, SimTime::from(1_s)) / kHours;
    long_bins += dispersion(requests, SimTime::from(60_s)) / kHours;
  }
  CHECK_THAT(rate, WithinRel(5.53, 0.06));
  CHECK_THAT(short_bins, WithinRel(1.385, 0.15));
  CHECK_THAT(long_bins, WithinRel(16.1, 0.35));
}

}  // namespace
}  // namespace moesim::workload
