#include "report/timeline_json.h"

#include <cstdint>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>

#include "report/trace_events.h"
#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::report {
namespace {

using namespace moesim::literals;
using google::protobuf::Struct;
using moesim::test::request_at;
using moesim::test::toy_deployment;

using Line = std::pair<std::int64_t, std::int64_t>;  // process, thread

sweep::ScenarioResult drawn(const plan::Layout& layout, std::int64_t iterations = 1) {
  auto deployment = toy_deployment(test::toy_moe_model(), layout);
  deployment.engine.iteration_overhead = 3_us;
  std::vector<workload::Request> requests;
  for (std::int32_t i = 0; i < 12; ++i) requests.push_back(request_at(0_s, 5 + 40 * i, 4));
  sweep::ScenarioResult result;
  result.name = "a \"toy\"\n\\ name";
  result.run = test::run(deployment, requests, {.timeline = {.iterations = iterations}});
  return result;
}

Struct parsed(const sweep::ScenarioResult& result) {
  std::ostringstream text;
  write_timeline(text, result);
  Struct document;
  REQUIRE(google::protobuf::util::JsonStringToMessage(text.str(), &document).ok());
  return document;
}

const google::protobuf::Value& at(const Struct& object, const std::string& key) {
  INFO(key);
  REQUIRE(object.fields().count(key) == 1);
  return object.fields().at(key);
}

std::string word(const Struct& event, const std::string& key) {
  return at(event, key).string_value();
}

/// Microseconds of three decimals as whole nanoseconds.
std::int64_t ns(const Struct& event, const std::string& key) {
  return static_cast<std::int64_t>(at(event, key).number_value() * 1000.0 + 0.5);
}

Line line(const Struct& event) {
  return {static_cast<std::int64_t>(at(event, "pid").number_value()),
          static_cast<std::int64_t>(at(event, "tid").number_value())};
}

std::vector<Struct> events_of(const Struct& document, const std::string& phase) {
  std::vector<Struct> events;
  for (const auto& value : at(document, "traceEvents").list_value().values()) {
    if (word(value.struct_value(), "ph") == phase) events.push_back(value.struct_value());
  }
  return events;
}

const std::vector<plan::Layout> kLayouts = {{},
                                            {.tp = 2, .ep = 2},
                                            {.dp = 4, .ep = 4},
                                            {.tp = 2, .dp = 4, .ep = 8},
                                            {.pp = 2, .dp = 4, .ep = 4},
                                            {.dp = 8, .ep = 8, .replicas = 2}};

TEST_CASE("timeline: is JSON that keeps the scenario's name", "[report]") {
  const Struct document = parsed(drawn({}));
  CHECK(word(at(document, "otherData").struct_value(), "scenario") == "a \"toy\"\n\\ name");
}

TEST_CASE("timeline: no two slices of a thread overlap, and every thread has a name",
          "[report][property]") {
  for (const plan::Layout& layout : kLayouts) {
    INFO(plan::to_string(layout));
    const Struct document = parsed(drawn(layout, 3));
    std::map<Line, std::string> names;
    for (const Struct& event : events_of(document, "M")) {
      if (word(event, "name") == "thread_name") {
        names[line(event)] = word(at(event, "args").struct_value(), "name");
      }
    }
    std::map<Line, std::map<std::int64_t, std::int64_t>> slices;  // begin -> end
    for (const Struct& event : events_of(document, "X")) {
      REQUIRE(names.count(line(event)) == 1);
      const std::int64_t begin = ns(event, "ts");
      std::int64_t& end = slices[line(event)][begin];
      end = std::max(end, begin + ns(event, "dur"));
    }
    for (const auto& [thread, of_thread] : slices) {
      INFO(names[thread]);
      std::int64_t last = 0;
      for (const auto& [begin, end] : of_thread) {
        REQUIRE(begin >= last);
        last = end;
      }
    }
  }
}

TEST_CASE("timeline: an arrow joins work of the rank waited for with the wait",
          "[report][property]") {
  for (const plan::Layout& layout : kLayouts) {
    INFO(plan::to_string(layout));
    const Struct document = parsed(drawn(layout));
    const auto slices = events_of(document, "X");
    const auto slice_at = [&](const Struct& event) {
      for (const Struct& slice : slices) {
        const std::int64_t begin = ns(slice, "ts");
        const std::int64_t time = ns(event, "ts");
        if (line(slice) == line(event) && begin <= time && time < begin + ns(slice, "dur")) {
          return slice;
        }
      }
      return Struct{};
    };
    const auto starts = events_of(document, "s");
    const auto ends = events_of(document, "f");
    REQUIRE(starts.size() == ends.size());
    CHECK(starts.empty() == (layout.gpus() == 1));
    for (std::size_t i = 0; i < starts.size(); ++i) {
      REQUIRE(at(starts[i], "id").number_value() == at(ends[i], "id").number_value());
      REQUIRE(ns(starts[i], "ts") == ns(ends[i], "ts"));
      const std::string work = word(slice_at(starts[i]), "name");
      REQUIRE(work.find("waiting") == std::string::npos);
      const Struct wait = slice_at(ends[i]);
      const double rank = at(at(wait, "args").struct_value(), "waits for rank").number_value();
      // Threads hold ranks from 1 (0: the iterations), stage by stage; processes of ranks are odd.
      const auto stage = (line(starts[i]).first - 1) / 2 % layout.pp;
      const std::int64_t number = line(starts[i]).second - 1 + stage * layout.tp * layout.dp;
      REQUIRE(static_cast<std::int64_t>(rank) == number);
      REQUIRE(word(wait, "name") == "waiting for rank " + std::to_string(number));
    }
  }
}

TEST_CASE("timeline: links end with the exchange they carry", "[report][property]") {
  const Struct document = parsed(drawn({.dp = 8, .ep = 8}));
  std::map<std::int64_t, std::int64_t> exchanges;  // begin -> end, of rank 0
  for (const Struct& event : events_of(document, "X")) {
    const std::string name = word(event, "name");
    if (line(event) == Line{1, 1} && (name == "dispatch" || name == "combine")) {
      exchanges[ns(event, "ts")] = ns(event, "ts") + ns(event, "dur");
    }
  }
  REQUIRE(exchanges.size() == 4);  // Two layers.
  std::int64_t nics = 0;
  for (const Struct& event : events_of(document, "X")) {
    if (line(event).first != 2) continue;
    REQUIRE(exchanges.count(ns(event, "ts")) == 1);
    REQUIRE(ns(event, "ts") + ns(event, "dur") <= exchanges[ns(event, "ts")]);
    const Struct& args = at(event, "args").struct_value();
    const double bytes = at(args, "bytes_out").number_value() + at(args, "bytes_in").number_value();
    REQUIRE(bytes > 0.0);
    nics += line(event).second >= 100'000 ? 1 : 0;
  }
  CHECK(nics > 0);
}

TEST_CASE("timeline: control characters are escaped", "[report]") {
  CHECK(json_string("a\"b\\c\n\x01") == R"("a\"b\\c\u000a\u0001")");
}

}  // namespace
}  // namespace moesim::report
