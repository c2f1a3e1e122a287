// Classes of requests, and how a scheduler orders and evicts: what is read and what is refused.
#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/unit/scenario/reading.h"

namespace moesim::scenario {
namespace {

using namespace moesim::literals;
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

TEST_CASE("eviction: engines have their ways, which are read and refused") {
  using catalog::Admission;
  const auto scheduler = [](const std::vector<std::string>& more) {
    return read(kSmall, more).deployment.scheduler;
  };
  CHECK(scheduler({}).admission == Admission::AsNeeded);
  CHECK(scheduler({"deployment.engine=TensorRT-LLM"}).admission == Admission::Guaranteed);
  const std::string utilise = "deployment.scheduler.capacity_scheduler_policy=MAX_UTILIZATION";
  CHECK(scheduler({"deployment.engine=TensorRT-LLM", utilise}).admission == Admission::AsNeeded);
  CHECK_THAT(mistakes(kSmall, {utilise}), contains_text("vLLM has no such choice"));
  CHECK(scheduler({"deployment.engine=TGI"}).admission == Admission::Guaranteed);
  const auto sglang = scheduler({"deployment.engine=SGLang"});
  CHECK(sglang.admission == Admission::NewTokenRatio);
  CHECK(sglang.prompts_apart);
  const std::string mixed = "deployment.scheduler.enable_mixed_chunk=true";
  CHECK_FALSE(scheduler({"deployment.engine=SGLang", mixed}).prompts_apart);
  CHECK_THAT(mistakes(kSmall, {mixed}), contains_text("use an engine that has it: SGLang"));
  const std::string careful = "deployment.scheduler.schedule_conservativeness=1.3";
  CHECK(scheduler({"deployment.engine=SGLang", careful}).conservativeness == 1.3);
  CHECK_THAT(mistakes(kSmall, {careful}), contains_text("vLLM has no such setting"));
  const std::string late = "deployment.scheduler.scheduler_recv_interval=30";
  CHECK(sglang.recv_interval == 1);
  CHECK(scheduler({"deployment.engine=SGLang", late}).recv_interval == 30);
  CHECK_THAT(mistakes(kSmall, {late}), contains_text("use an engine that has it: SGLang"));
  CHECK_THAT(mistakes("model: \"Mixtral-8x7B-v0.1\" cluster { gpu: \"H100-SXM\" gpus_per_node: 8 } "
                      "deployment { engine: \"SGLang\" dp: 8 ep: 8 } workload { concurrency: 4 "
                      "input { fixed_tokens: 100 } output { fixed_tokens: 10 } } "
                      "simulation { max_requests: 10 }",
                      {late}),
             contains_text("does not go with attention data parallelism"));
  const std::string swap = "deployment.scheduler.preemption_mode=SWAP";
  const auto v0 = scheduler({"deployment.engine=vLLM V0", swap});
  CHECK(v0.preemption == serving::PreemptionMode::Swap);
  CHECK(v0.swap_space == 4_GiB);
  CHECK_FALSE(v0.enable_chunked_prefill);
  CHECK_THAT(mistakes(kSmall, {swap}), contains_text("vLLM does not swap to the host"));
  const std::string space = "deployment.scheduler.swap_space=8 GiB";
  CHECK(scheduler({"deployment.engine=vLLM V0", swap, space}).swap_space == 8_GiB);
  CHECK_THAT(mistakes(kSmall, {space}),
             contains_text("does not go with preemption_mode RECOMPUTE"));
  const std::string none = "deployment.scheduler.swap_space=0 B";
  CHECK_THAT(mistakes(kSmall, {"deployment.engine=vLLM V0", swap, none}),
             contains_text("swap_space"));
}

TEST_CASE("routers: common names, and the engine's own") {
  using serving::RouterPolicy;
  const std::string sglang = "deployment.engine=SGLang";
  const auto own = [](const std::string& name) { return "deployment.load_balance_method=" + name; };
  CHECK(read(kSmall).deployment.router == RouterPolicy::LeastLoad);
  CHECK(read(kSmall, {"deployment.router=LEAST_WAITING"}).deployment.router ==
        RouterPolicy::LeastWaiting);
  CHECK(read(kSmall, {sglang}).deployment.router == RouterPolicy::LeastLoad);
  CHECK(read(kSmall, {sglang, own("round_robin")}).deployment.router == RouterPolicy::RoundRobin);
  CHECK(read(kSmall, {sglang, own("shortest_queue")}).deployment.router == RouterPolicy::LeastLoad);
  CHECK(read(kSmall, {sglang, own("total_tokens")}).deployment.router == RouterPolicy::LeastTokens);
  // The resolved scenario holds the common name.
  const Scenario s = read(kSmall, {sglang, own("minimum_tokens")});
  CHECK_THAT(s.resolved_text, contains_text("router: LEAST_TOKENS"));
  CHECK(s.resolved_text.find("load_balance_method") == std::string::npos);
  CHECK_THAT(mistakes(kSmall, {own("round_robin")}),
             contains_text("deployment.load_balance_method: is no setting of vLLM"));
  CHECK_THAT(mistakes(kSmall, {sglang, own("fewest")}),
             contains_text("expected round_robin, shortest_queue, total_requests, minimum_tokens, "
                           "total_tokens, got \"fewest\""));
  CHECK_THAT(mistakes(kSmall, {sglang, own("round_robin"), "deployment.router=LEAST_LOAD"}),
             contains_text("deployment.load_balance_method: is router, which is given too"));
}

TEST_CASE("ways to experts: the engine's own names, and what it refuses") {
  using catalog::All2AllBackend;
  const std::string moe =
      "model: \"Mixtral-8x7B-v0.1\" cluster { gpu: \"H100-SXM\" gpus_per_node: 8 } "
      "deployment { engine: \"SGLang\" dp: 8 ep: 8 } "
      "workload { concurrency: 4 input { fixed_tokens: 100 } output { fixed_tokens: 10 } } "
      "simulation { max_requests: 10 }";
  const auto with = [](const char* field, const char* value) {
    return std::string("deployment.") + field + "=" + value;
  };
  const auto chosen = [&](const std::vector<std::string>& fields) {
    return read(moe, fields).deployment.all2all;
  };
  CHECK(chosen({with("moe_a2a_backend", "none")}) == All2AllBackend::AllGather);
  CHECK(chosen({with("moe_a2a_backend", "deepep")}) == All2AllBackend::Auto);
  CHECK(chosen({with("moe_a2a_backend", "deepep"), with("deepep_mode", "normal")}) ==
        All2AllBackend::DeepEpNormal);
  const std::string small = "deployment.scheduler.max_num_batched_tokens=256";
  CHECK(chosen({with("deepep_mode", "low_latency"), small}) == All2AllBackend::DeepEpLowLatency);
  CHECK_THAT(mistakes(moe, {with("deepep_mode", "low_latency")}),
             contains_text("low-latency buffers hold 256 tokens of a GPU"));
  CHECK(mistakes(moe, {"deployment.engine=vLLM", with("all2all_backend", "DEEPEP_LOW_LATENCY")}) ==
        "");
  CHECK_THAT(mistakes(moe, {with("moe_a2a_backend", "none"), with("deepep_mode", "normal")}),
             contains_text("deployment.moe_a2a_backend: is all2all_backend, which is given too"));
  CHECK_THAT(mistakes(moe, {"deployment.engine=TensorRT-LLM",
                            with("all2all_backend", "ALLGATHER_ALLREDUCE")}),
             contains_text("TensorRT-LLM has no ALLGATHER_ALLREDUCE"));
  // Experts that several GPUs split.
  const std::string gathers = with("all2all_backend", "ALLGATHER_REDUCESCATTER");
  CHECK(read(moe, {"deployment.ep=4", gathers}).deployment.layout.expert_tp() == 2);
  CHECK_THAT(mistakes(moe, {"deployment.ep=4"}),
             contains_text("all-to-all kernels send tokens to whole experts alone"));
  CHECK_THAT(mistakes(moe, {"deployment.ep=4", gathers, "deployment.engine=vLLM"}),
             contains_text("splits each expert over 2 GPUs, which vLLM does not"));
  // ep 1: replicas, unless tokens are gathered.
  CHECK(read(moe, {"deployment.ep=1"}).deployment.layout.replicas == 8);
  const Scenario split = read(moe, {"deployment.ep=1", gathers, "deployment.engine=vLLM"});
  CHECK(split.deployment.layout.dp == 8);
  CHECK(split.deployment.layout.expert_tp() == 8);
  CHECK(read(split.resolved_text).resolved_text == split.resolved_text);
  CHECK(read(split.resolved_text).deployment.layout == split.deployment.layout);
}

TEST_CASE("attention_dp_config: TensorRT-LLM holds prompts for other ranks") {
  const std::string moe =
      "model: \"Mixtral-8x7B-v0.1\" cluster { gpu: \"H100-SXM\" gpus_per_node: 8 } "
      "deployment { engine: \"TensorRT-LLM\" dp: 8 ep: 8 "
      "scheduler { attention_dp_config { enable_balance: true timeout_iters: 7 } } } "
      "workload { concurrency: 4 input { fixed_tokens: 100 } output { fixed_tokens: 10 } } "
      "simulation { max_requests: 10 }";
  const auto balance = read(moe).deployment.scheduler.attention_dp_balance;
  CHECK(balance.on);
  CHECK(balance.timeout_iters == 7);
  CHECK(balance.batching_wait_iters == 10);
  CHECK_THAT(mistakes(moe, {"deployment.engine=vLLM"}),
             contains_text("attention_dp_config: vLLM has no such setting"));
  CHECK_THAT(mistakes(moe, {"deployment.dp=1", "deployment.tp=8"}),
             contains_text("no other ranks to wait for"));
}

}  // namespace
}  // namespace moesim::scenario
