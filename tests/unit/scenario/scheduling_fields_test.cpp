// Classes of requests, and how a scheduler orders and evicts: what is read and what is refused.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/unit/scenario/reading.h"

namespace moesim::scenario {
namespace {

using moesim::test::contains_text;
using moesim::test::kSmall;
using moesim::test::mistakes;
using moesim::test::read;

const std::string kClasses =
    "workload.classes=[{name: \"chat\" share: 3 priority: 0 slo { ttft: \"1 s\" }}, "
    "{name: \"batch\" share: 1 priority: 10 input { fixed_tokens: 2000 }}]";
const std::string kByPriority = "deployment.scheduler.scheduling_policy=PRIORITY";

TEST_CASE("classes: shares, priorities, lengths and limits are read") {
  const Scenario s = read(kSmall, {kClasses, kByPriority});
  CHECK(s.deployment.scheduler.policy == serving::SchedulingPolicy::Priority);
  REQUIRE(s.workload.classes.size() == 2);
  CHECK(s.workload.classes[0].name == "chat");
  CHECK(s.workload.classes[0].slo->ttft == SimTime::from(1.0 * kSecond));
  CHECK(s.workload.classes[1].priority == 10);
  CHECK_FALSE(s.workload.classes[1].slo);
  CHECK(s.workload.class_demand[0].share == 3.0);
  CHECK_FALSE(s.workload.class_demand[0].input);
  CHECK(std::get<workload::FixedLength>(*s.workload.class_demand[1].input).tokens == 2000);
  CHECK(read(s.resolved_text).resolved_text == s.resolved_text);
  // Without priority they are passed over, which is said.
  const Scenario fcfs = read(kSmall, {kClasses});
  CHECK(std::any_of(fcfs.notes.begin(), fcfs.notes.end(), [](const std::string& note) {
    return note.starts_with("priorities of classes are passed over");
  }));
  // Lengths of all classes are lengths enough.
  const std::string lengths = "input { fixed_tokens: 9 } output { fixed_tokens: 2 }";
  const std::string bare =
      "model: \"Llama-3.1-8B\" cluster { gpu: \"H100-SXM\" } workload { arrivals { poisson {} } "
      "rate: \"5 req/s\" classes { name: \"a\" share: 1 " +
      lengths + " } } simulation { max_requests: 10 }";
  CHECK(mistakes(bare) == "");
}

TEST_CASE("classes: what cannot be is refused") {
  CHECK_THAT(mistakes(kSmall, {kByPriority}), contains_text("requests have no priorities"));
  CHECK_THAT(mistakes(kSmall, {kClasses, kByPriority, "deployment.engine=TGI"}),
             contains_text("TGI does not serve by priority"));
  CHECK_THAT(mistakes(kSmall, {"workload.classes=[{share: 1}]"}),
             contains_text("workload.classes[0].name: is missing"));
  CHECK_THAT(mistakes(kSmall, {"workload.classes=[{name: \"a\"}]"}),
             contains_text("workload.classes[0].share: is missing"));
  CHECK_THAT(
      mistakes(kSmall, {"workload.classes=[{name: \"a\" share: 1}, {name: \"a\" share: 1}]"}),
      contains_text("workload.classes[1].name: is the name of another class"));
  CHECK_THAT(mistakes(kSmall, {"workload.classes=[{name: \"a\" share: 0}]"}),
             contains_text("must be above 0"));
  CHECK_THAT(mistakes(kSmall, {"workload.classes=[{name: \"a\" share: 1 input {}}]"}),
             contains_text("workload.classes[0].input"));
}

}  // namespace
}  // namespace moesim::scenario
