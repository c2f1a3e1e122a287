#include "workload/request_classes.h"

#include <cmath>

#include "tests/support/catch.h"
#include "workload/generator.h"

namespace moesim::workload {
namespace {

using namespace moesim::literals;

WorkloadModel steady() {
  WorkloadModel m;
  m.name = "steady";
  m.arrivals = Poisson{};
  m.default_rate = PerSecond::from_base(10.0);
  m.input = UniformLength{.min = 10, .max = 20};
  m.output = UniformLength{.min = 1, .max = 9};
  return m;
}

TEST_CASE("request classes: shares, lengths and independence of each other") {
  const WorkloadModel model = steady();
  const GenerateOptions options{.seed = 3, .max_requests = 8000};
  const std::vector<RequestClass> classes = {
      {.share = 3.0}, {.share = 1.0, .input = UniformLength{.min = 1010, .max = 1020}}};
  const auto plain = make_generated_source(model, options);
  const auto mixed = give_classes(make_generated_source(model, options), classes, &model, 3);
  int second = 0;
  while (const auto request = mixed->next()) {
    const auto base = plain->next();
    REQUIRE(base);
    CHECK(request->arrival == base->arrival);
    CHECK(request->output_tokens == base->output_tokens);
    // The same probability of another law: 1000 tokens more.
    const int more = request->service_class == 1 ? 1000 : 0;
    CHECK(request->input_tokens == base->input_tokens + more);
    second += request->service_class;
  }
  // Binomial(8000, 1/4): 2000 with a standard deviation of 39.
  CHECK(std::abs(second - 2000) < 4 * 39);
}

TEST_CASE("request classes: turns of a session are of one class") {
  Trace trace;
  for (int i = 0; i < 400; ++i) {
    trace.requests.push_back({.arrival = SimTime::from(i * 1_s), .session = i % 40});
  }
  const auto source =
      give_classes(make_trace_source(trace), {{.share = 1.0}, {.share = 1.0}}, nullptr, 1);
  std::vector<int> of(40, -1);
  int ones = 0;
  while (const auto request = source->next()) {
    int& known = of[static_cast<std::size_t>(request->session)];
    if (known < 0) {
      known = request->service_class;
      ones += known;
    }
    CHECK(request->service_class == known);
  }
  CHECK(ones > 8);  // Of 40, by halves: 20 with a standard deviation of 3.2.
  CHECK(ones < 32);
}

}  // namespace
}  // namespace moesim::workload
