#include "report/comparison_report.h"

#include <algorithm>
#include <sstream>
#include <string>

#include "comparison.pb.h"
#include "report/figures.h"
#include "tests/support/catch.h"
#include "tests/support/toy_scenario.h"

namespace moesim::report {
namespace {

using moesim::test::contains_text;
using moesim::test::WithinRel;

const Figure& figure(std::string_view key) {
  const auto all = figures();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Figure& f) { return f.key == key; });
  REQUIRE(found != all.end());
  return *found;
}

sweep::Comparison two() {
  return {.results = {test::toy_result("dense", 1.0), test::toy_result("moe", 2.5)}, .notes = {}};
}

TEST_CASE("figure_ratio: the other over the first", "[report][oracle]") {
  const sweep::ScenarioResult a = test::toy_result("a", 1.0);
  const sweep::ScenarioResult b = test::toy_result("b", 2.5);
  // 2,500 over 1,000 tokens/s; equal latencies; a goodput of zero has no ratio.
  CHECK_THAT(figure_ratio(figure("output_tokens_per_s"), a, b).value(), WithinRel(2.5, 1e-12));
  CHECK_THAT(figure_ratio(figure("output_tokens_per_s"), b, a).value(), WithinRel(0.4, 1e-12));
  CHECK_THAT(figure_ratio(figure("ttft_ms_p99"), a, b).value(), WithinRel(1.0, 1e-12));
  CHECK_FALSE(figure_ratio(figure("goodput_requests_per_s"), a, b).has_value());
  CHECK_FALSE(figure_ratio(figure("ttft_ms_p99"), a, test::toy_misfit("c")).has_value());
  CHECK_THAT(figure_ratio(figure("gpus"), a, test::toy_misfit("c")).value(), WithinRel(1.0, 1e-12));
}

TEST_CASE("figures: every one has a ratio in proto/comparison.proto, and no other", "[report]") {
  const auto* ratios = proto::Ratios::descriptor();
  CHECK(static_cast<std::size_t>(ratios->field_count()) == figures().size());
  for (const Figure& f : figures()) {
    CHECK(ratios->FindFieldByName(std::string(f.key)) != nullptr);
  }
}

TEST_CASE("comparison_table: figures beside each other with their ratio", "[report]") {
  const std::string page = comparison_table(two());
  CHECK_THAT(page, contains_text("output tokens [/s]                             1,000       x2.5"
                                 "        2,500\n"));
  CHECK_THAT(page, contains_text("ratios      x2 = twice that of dense"));
  std::istringstream in(page);
  for (std::string line; std::getline(in, line);) CHECK(line.size() <= 100);
}

TEST_CASE("comparison_table: no price, no dollars and nobody is the cheapest", "[report]") {
  sweep::Comparison c = two();
  CHECK_THAT(comparison_table(c), contains_text("cheapest"));
  c.results[1].pricing = {};
  c.results[1].pricing.known = false;
  c.results[1].bill = {};
  const std::string page = comparison_table(c);
  CHECK(page.find("cheapest") == std::string::npos);
  // 28 columns of label, 24 of the first with its price, 24 of the second without.
  CHECK_THAT(page, contains_text("price [USD/month]" + std::string(28 - 17 + 24 - 8, ' ') +
                                 "7,854.80" + std::string(23, ' ') + "-\n"));
}

TEST_CASE("comparison_table: more than three go on below, ratios to the first", "[report]") {
  sweep::Comparison c = two();
  c.results.push_back(test::toy_result("third", 1.0));
  c.results.push_back(test::toy_result("fourth", 10.0));
  c.notes = {"not the same demand: ..."};
  const std::string page = comparison_table(c);
  CHECK_THAT(page, contains_text("x10       10,000"));
  CHECK_THAT(page, contains_text("note        not the same demand"));
  std::istringstream in(page);
  for (std::string line; std::getline(in, line);) CHECK(line.size() <= 100);
}

TEST_CASE("comparison_table: a column that does not fit says why", "[report]") {
  sweep::Comparison c = two();
  c.results.push_back(test::toy_misfit("big"));
  const std::string page = comparison_table(c);
  CHECK_THAT(page, contains_text("does not fit"));
  CHECK_THAT(page, contains_text("note        big does not fit: the weights alone, 90.0 GB"));
}

TEST_CASE("comparison_table: what is noted of all is said once", "[report]") {
  sweep::Comparison c = two();
  c.results[0].notes = {"rented from A", "an estimate"};
  c.results[1].notes = {"rented from A"};
  const std::string page = comparison_table(c);
  CHECK_THAT(page, contains_text("note        rented from A\n"));
  CHECK_THAT(page, contains_text("note        dense: an estimate\n"));
  CHECK(page.find("moe: rented") == std::string::npos);
}

TEST_CASE("comparison_json: results and ratios", "[report]") {
  sweep::Comparison c = two();
  c.results.push_back(test::toy_misfit("big"));
  const std::string json = comparison_json(c);
  CHECK_THAT(json, contains_text("\"output_tokens_per_s\": 2.5"));
  CHECK_THAT(json, contains_text("\"usd_per_month\": 7854.8"));
  CHECK_THAT(json, contains_text("\"status\": \"does_not_fit\""));
  CHECK(json == comparison_json(c));
}

TEST_CASE("comparison_csv: one row per scenario, all of one length", "[report]") {
  sweep::Comparison c = two();
  c.results.push_back(test::toy_misfit("big"));
  std::istringstream in(comparison_csv(c));
  std::string head;
  std::getline(in, head);
  CHECK_THAT(head, contains_text("output_tokens_per_s,output_tokens_per_s_ratio"));
  int rows = 0;
  for (std::string line; std::getline(in, line); ++rows) {
    // The reason of the misfit holds two commas in quotes.
    const auto extra = line.find("\"the weights") == std::string::npos ? 0 : 2;
    CHECK(std::count(line.begin(), line.end(), ',') ==
          std::count(head.begin(), head.end(), ',') + extra);
  }
  CHECK(rows == 3);
}

}  // namespace
}  // namespace moesim::report
