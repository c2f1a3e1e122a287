// Every expectation is a product that can be redone with a pocket calculator.
#include <rapidcheck.h>

#include "cost/pricing.h"
#include "tests/support/catch.h"

namespace moesim::cost {
namespace {

using namespace moesim::literals;
using moesim::test::WithinRel;

Pricing rent(double usd_per_gpu_hour, double hours = 730.0) {
  Pricing p;
  p.per_gpu = usd_per_gpu_hour * 1.0_USDph;
  p.hours_per_month = hours;
  return p;
}

TEST_CASE("bill: one GPU for a month of 730 hours", "[cost][oracle]") {
  // 2.69 USD/h * 730 h = 1,963.70 USD.
  const Bill b = bill(rent(2.69), 1, 0, 0, 0);
  CHECK_THAT(b.usd_per_hour, WithinRel(2.69, 1e-12));
  CHECK_THAT(b.usd_per_month, WithinRel(1963.70, 1e-12));
}

TEST_CASE("bill: the month is as long as it is set", "[cost][oracle]") {
  // 2.69 USD/h * 720 h = 1,936.80 USD.
  CHECK_THAT(bill(rent(2.69, 720), 1, 0, 0, 0).usd_per_month, WithinRel(1936.80, 1e-12));
}

TEST_CASE("bill: one day of DeepSeek's published inference fleet", "[cost][oracle]") {
  // 226.75 nodes * 8 GPUs * 24 h * 2 USD/h = 87,072 USD: the figure DeepSeek printed.
  const Bill b = bill(rent(2.0, 24), 226.75 * 8, 0, 0, 0);
  CHECK_THAT(b.usd_per_month, WithinRel(87072.0, 1e-12));
}

TEST_CASE("bill: input and output share the bill by GPU time", "[cost][oracle]") {
  // 8 GPUs * 3.6 USD/h = 28.8 USD/h = 0.008 USD/s. A quarter of the time is prefill:
  //   input:  0.008 * 0.25 / 10,000 tokens/s * 1e6 = 0.2 USD per million
  //   output: 0.008 * 0.75 /  2,000 tokens/s * 1e6 = 3 USD per million
  //   output paying all: 0.008 / 2,000 * 1e6 = 4 USD per million
  const Bill b = bill(rent(3.6), 8, 10000, 2000, 0.25);
  CHECK_THAT(b.usd_per_hour, WithinRel(28.8, 1e-12));
  CHECK_THAT(b.usd_per_million_input_tokens, WithinRel(0.2, 1e-12));
  CHECK_THAT(b.usd_per_million_output_tokens, WithinRel(3.0, 1e-12));
  CHECK_THAT(b.usd_per_million_output_tokens_all_in, WithinRel(4.0, 1e-12));
}

TEST_CASE("bill: nothing served has no price per token", "[cost]") {
  const Bill b = bill(rent(3.6), 8, 0, 0, 0.5);
  CHECK(b.usd_per_million_input_tokens == 0.0);
  CHECK(b.usd_per_million_output_tokens == 0.0);
}

TEST_CASE("bill: the tokens pay exactly the bill", "[cost][property]") {
  CHECK(rc::check([] {
    const double in = *rc::gen::inRange(1, 1'000'000);
    const double out = *rc::gen::inRange(1, 1'000'000);
    const double share = *rc::gen::inRange(0, 101) / 100.0;
    const int gpus = *rc::gen::inRange(1, 1000);
    const Bill b = bill(rent(2.69), gpus, in, out, share);
    // Dollars per second earned from both kinds of token = dollars per second spent.
    const double earned =
        (b.usd_per_million_input_tokens * in + b.usd_per_million_output_tokens * out) / 1e6;
    const double spent = b.usd_per_hour / 3600.0;
    RC_ASSERT(earned > spent * (1 - 1e-9));
    RC_ASSERT(earned < spent * (1 + 1e-9));
  }));
}

}  // namespace
}  // namespace moesim::cost
