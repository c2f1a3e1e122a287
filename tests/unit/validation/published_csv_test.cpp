#include <rapidcheck.h>

#include <string>

#include "core/diagnostics.h"
#include "scenario/published_row.h"
#include "tests/support/catch.h"

namespace moesim::scenario {
namespace {

using moesim::test::contains_text;

const std::string kHead =
    "id,source,date,model,precision,engine,gpu,n_gpus,nodes,interconnect,tp,pp,dp,ep,pd_mode,isl,"
    "osl,cached_fraction,batch_or_concurrency_per_gpu,request_rate,metric_name,metric_value,unit,"
    "notes\n";

std::string mistakes(const std::string& text) {
  try {
    (void)parse_published_csv(text, "rows.csv");
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("parse_published_csv: quoted cells, blanks and inf", "[validation]") {
  const PublishedRows rows = parse_published_csv(
      "\xef\xbb\xbf" + kHead +
          "\r\nA-1,\"a, \"\"b\"\"\",,M,,E,G,8,1,,4,,,,colocated,1e3,,,,inf,ttft,12.5,ms,n\r\n",
      "rows.csv");
  REQUIRE(rows.rows.size() == 1);
  const PublishedRow& r = rows.rows[0];
  CHECK(r.source == "a, \"b\"");
  CHECK(r.gpus == 8.0);
  CHECK(!r.pp);
  CHECK(r.input_tokens == 1000.0);
  CHECK(std::isinf(r.request_rate.value()));
  CHECK(r.value == 12.5);
  CHECK(r.family() == "A");
}

TEST_CASE("parse_published_csv: names the place of every mistake", "[validation]") {
  const std::string text = kHead +
                           "A-1,s,d,M,,E,G,eight,1,,4,,,,c,1,1,,,1,ttft,1,ms,n\n"
                           "A-1,s,d,M,,E,G,8,-1,,4,,,,c,1,1,,,1,ttft,1,ms,n\n"
                           "A-3,too few\n";
  const std::string said = mistakes(text);
  CHECK_THAT(said, contains_text("rows.csv:2:16: error: n_gpus: \"eight\" is not a number"));
  CHECK_THAT(said, contains_text("rows.csv:3:1: error: id: \"A-1\" stands twice"));
  CHECK_THAT(said, contains_text("rows.csv:3:18: error: nodes: must lie within"));
  CHECK_THAT(said, contains_text("rows.csv:4:1: error: 2 cells"));
  CHECK_THAT(mistakes(""), contains_text("names no column id, source"));
  CHECK_THAT(mistakes(kHead), contains_text("the table has no rows"));
  CHECK_THAT(mistakes(kHead + "\"open"), contains_text("rows.csv:2:1: error: the quote"));
  CHECK_THAT(mistakes("id,id\n"), contains_text("stands twice"));
  CHECK_THAT(mistakes(kHead + "\xff"), contains_text("not UTF-8"));
}

TEST_CASE("parse_published_csv: any text is read or refused", "[validation]") {
  CHECK(rc::check("text", [] {
    const auto body = *rc::gen::container<std::string>(
        rc::gen::elementOf(std::string("a1,,,\"\"\n\r .-e\xc3\xa9")));
    try {
      (void)parse_published_csv(kHead + body, "rows.csv");
    } catch (const InputError&) {
    }
  }));
}

TEST_CASE("published_text: what is written can be read", "[validation]") {
  const PublishedRows rows =
      parse_published_csv(kHead +
                              "A-1,s,d,M,,E,G,8,,,4,,,,c,1,1,,,2.5,ttft,1,ms,n\n"
                              "A-2,s,d,M,,E,G,8,,,4,,,,c,1,1,,,2.5,tpot,2,ms,\n",
                          "rows.csv");
  const std::string text = published_text(rows);
  CHECK_THAT(text, contains_text("request_rate_per_s: \"2.5\""));
  CHECK(text.find("run {") == text.rfind("run {"));
}

TEST_CASE("the shipped rows can be read", "[validation]") {
  const PublishedRows rows = read_published_directory(find_published_directory());
  CHECK(rows.rows.size() == 298);
  CHECK(rows.recordings.size() == 3);
}

}  // namespace
}  // namespace moesim::scenario
