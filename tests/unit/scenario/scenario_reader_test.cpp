#include "scenario/scenario_reader.h"

#include <algorithm>
#include <fstream>

#include "reading.h"
#include "tests/support/catch.h"

namespace moesim::scenario {
namespace {

using test::contains_text;
using test::kSmall;
using test::mistakes;
using test::read;

TEST_CASE("scenario reader: a small scenario takes the documented defaults") {
  const Scenario s = read(kSmall);
  CHECK(s.name == "x");
  CHECK(s.deployment.model.name == "Llama-3.1-8B");
  CHECK(s.deployment.engine.name == "vLLM");
  CHECK(s.deployment.cluster.nodes == 1);
  CHECK(s.deployment.cluster.gpus_per_node == 8);
  CHECK(s.deployment.cluster.scale_out == topology::ScaleOut::None);
  CHECK(s.deployment.layout == plan::Layout{.tp = 2});
  CHECK(s.deployment.scheduler.max_num_seqs == 256);
  CHECK(s.deployment.scheduler.max_num_batched_tokens == 8192);
  CHECK(s.deployment.scheduler.enable_chunked_prefill);
  CHECK(s.deployment.scheduler.gpu_memory_utilization == 0.9);
  CHECK(s.deployment.memory.block_size == 16);
  CHECK(s.run.seed == 1);
  CHECK(s.run.max_requests == 10);
  CHECK(s.run.duration == SimTime::never());
  CHECK(s.slo.ttft == SimTime::never());
  CHECK(s.pricing.hours_per_month == 730.0);
  CHECK(s.pricing.term == "on-demand");
  REQUIRE(s.workload.model);
  CHECK(s.workload.model->default_rate->base() == 5.0);
}

TEST_CASE("scenario reader: the links of a cluster come from the GPU's data sheet") {
  // H100: NVLink4 450 GB/s per direction, PCIe 5 x16 63 GB/s, 400 Gb/s = 50 GB/s of network.
  const topology::Cluster& c = read(kSmall).deployment.cluster;
  CHECK(c.scale_up.bandwidth == 450_GBps);
  CHECK(c.pcie.bandwidth == 63_GBps);
  CHECK(c.nic.bandwidth == 50_GBps);
  CHECK(c.nic.kind == catalog::FabricKind::InfiniBand);
  CHECK(c.nics_per_node == 8);
}

TEST_CASE("scenario reader: a term or a date of a price needs its provider") {
  for (const std::string field : {"pricing.term", "pricing.date"}) {
    CHECK_THAT(mistakes(kSmall, {field + "=on-demand"}),
               contains_text(field + ": says nothing without pricing.provider; name the provider"));
    CHECK_THAT(mistakes(kSmall, {field + "=on-demand", "cluster.gpu=H20"}),
               contains_text("says nothing without"));
    CHECK_THAT(mistakes(kSmall, {field + "=on-demand", "pricing.gpu_price=1 USD/h"}),
               contains_text("does not go with gpu_price"));
  }
}

TEST_CASE("scenario reader: a GPU that nobody rents out runs without cost") {
  // The catalog has no on-demand rent of H20.
  const Scenario s = read(kSmall, {"cluster.gpu=H20"});
  CHECK_FALSE(s.pricing.known);
  CHECK_THAT(s.notes, Catch::VectorContains(std::string("no on-demand rent of H20 in the catalog: "
                                                        "set pricing.gpu_price for costs")));
  const Scenario again = read(s.resolved_text);
  CHECK(again.resolved_text == s.resolved_text);
  CHECK_FALSE(again.pricing.known);
  const Scenario priced = read(kSmall, {"cluster.gpu=H20", "pricing.gpu_price=1 USD/h"});
  CHECK(priced.pricing.known);
  CHECK(read(kSmall).pricing.known);
}

TEST_CASE("scenario reader: links stand where their kind belongs") {
  CHECK_THAT(mistakes(kSmall, {"cluster.nic=NVLink4"}),
             contains_text("cluster.nic: NVLink4 is no link of this place; use IB-HDR, IB-NDR,"));
  CHECK_THAT(mistakes(kSmall, {"cluster.nic=PCIe5-x16"}), contains_text("RoCE-400"));
  CHECK_THAT(mistakes(kSmall, {"cluster.pcie=IB-NDR"}),
             contains_text("use NVLink-C2C, PCIe4-x16, PCIe5-x16"));
  CHECK_THAT(mistakes(kSmall, {"cluster.scale_up=EFA-v3-P5en"}), contains_text("use NVLink3,"));
  CHECK(mistakes(kSmall, {"cluster.nic=EFA-v3-P5en", "cluster.pcie=NVLink-C2C",
                          "cluster.scale_up=PCIe5-x16"}) == "");
  CHECK(mistakes(kSmall, {"cluster.nic=RoCE-400", "cluster.scale_up=NVLink-C2C"}) == "");
}

TEST_CASE("scenario reader: names are plain text") {
  for (const char* name : {"a\x1b[31m", "a\nb", "a\tb", "a\x7f", "a\xc2\x9b"}) {
    CHECK_THAT(mistakes(kSmall, {std::string("name=") + name}),
               contains_text("name: holds a control character"));
  }
  CHECK_THAT(mistakes(kSmall, {"description=a\x1b[2J"}),
             contains_text("description: holds a control character"));
  CHECK(mistakes(kSmall, {"description=two\nlines", "name=M\xc3\xbcnchen \xc2\xb7"}) == "");
}

TEST_CASE("scenario reader: a rack-scale GPU stands in trays of four, eighteen to a domain") {
  const Scenario s =
      read(kSmall, {"cluster.gpu=GB200-NVL72", "cluster.nodes=36", "pricing.gpu_price=3 USD/h"});
  CHECK(s.deployment.cluster.gpus_per_node == 4);
  CHECK(s.deployment.cluster.nodes_per_scale_up_domain == 18);
  CHECK(s.deployment.cluster.scale_out == topology::ScaleOut::Rail);
}

TEST_CASE("scenario reader: the resolved text reads back to itself") {
  const std::vector<std::vector<std::string>> variants = {
      {},
      {"cluster.nodes=4", "deployment.dp=16", "model=DeepSeek-V3", "cluster.gpu=h200-sxm"},
      {"workload={trace {file: \"traces/azure_2023_conv_10min.csv\"} rate_scale: 2}"},
      {"workload={preset: \"chat_steady\" concurrency: 16}"},
      {"workload={trace {file: \"traces/azure_2023_conv_10min.csv\"} concurrency: 16}"},
      {"pricing.provider=Lambda", "pricing.term=on-demand (8x)", "slo.ttft=2 s"}};
  for (const auto& variant : variants) {
    const Scenario first = read(kSmall, variant);
    const Scenario second = read(first.resolved_text);
    CHECK(second.resolved_text == first.resolved_text);
    CHECK(second.deployment.layout == first.deployment.layout);
    CHECK(second.deployment.cluster.nic.latency == first.deployment.cluster.nic.latency);
    CHECK(second.deployment.cluster.name == first.deployment.cluster.name);
    CHECK(second.deployment.experts.popularity.share == first.deployment.experts.popularity.share);
    CHECK(second.workload.description == first.workload.description);
    CHECK(second.workload.rate_scale == first.workload.rate_scale);
    CHECK(second.pricing.per_gpu == first.pricing.per_gpu);
    CHECK(second.pricing.date == first.pricing.date);
    CHECK(second.notes == first.notes);
  }
}

TEST_CASE("scenario reader: rate_scale divides the arrival times of a trace") {
  const std::string trace = "workload={trace {file: \"traces/azure_2023_conv_10min.csv\"}}";
  const Scenario once = read(kSmall, {trace, "simulation.max_requests=0"});
  const Scenario twice =
      read(kSmall, {trace, "simulation.max_requests=0", "workload.rate_scale=2"});
  REQUIRE(once.workload.trace->requests.size() == 2867);
  REQUIRE(twice.workload.trace->requests.size() == 2867);
  CHECK(once.workload.trace->requests.back().arrival.picoseconds() / 2 ==
        twice.workload.trace->requests.back().arrival.picoseconds());
}

TEST_CASE("scenario reader: a closed loop does not cut a trace by its arrival times") {
  // 2,867 requests over ten minutes; an open loop of one minute keeps the first tenth or so.
  const std::string trace = "workload={trace {file: \"traces/azure_2023_conv_10min.csv\"}}";
  const std::vector<std::string> open = {trace, "simulation.max_requests=0",
                                         "simulation.duration=1 min"};
  std::vector<std::string> closed = open;
  closed.emplace_back("workload.concurrency=4");
  CHECK(read(kSmall, open).workload.trace->requests.size() < 600);
  const Scenario s = read(kSmall, closed);
  CHECK(s.workload.trace->requests.size() == 2867);
  CHECK(s.workload.rate_scale == 1.0);
  closed.emplace_back("simulation.max_requests=7");
  CHECK(read(kSmall, closed).workload.trace->requests.size() == 7);
}

TEST_CASE("scenario reader: a closed loop refuses what sets the pace of an open one") {
  const std::string closed = "workload={preset: \"chat_diurnal\" concurrency: 4}";
  CHECK(mistakes(kSmall, {closed}) == "");  // The preset's own curve becomes a note.
  CHECK_THAT(
      read(kSmall, {closed}).notes,
      Catch::VectorContains(std::string(
          "chat_diurnal: a closed loop has no rate, so its course over the day is not applied")));
  for (const char* pace :
       {"rate=5 req/s", "rate_scale=2", "rate_scale=1", "rate_curve={step: \"1 h\" multiplier: 1}",
        "rate_modulation={step: \"1 s\" cv: 1}"}) {
    CHECK_THAT(mistakes(kSmall, {closed, std::string("workload.") + pace}),
               contains_text("does not go with concurrency"));
  }
  CHECK_THAT(mistakes(kSmall, {"workload={arrivals {closed_loop {concurrency: 4}} rate_scale: 2 "
                               "input {fixed_tokens: 1} output {fixed_tokens: 1}}"}),
             contains_text("workload.rate_scale: does not go with concurrency"));
  CHECK_THAT(mistakes(kSmall, {"workload={trace {file: \"traces/azure_2023_conv_10min.csv\"} "
                               "concurrency: 4 rate_scale: 2}"}),
             contains_text("workload.rate_scale: does not go with concurrency"));
}

TEST_CASE("scenario reader: hardware within its documented bounds") {
  // Lower bound, upper bound, and a value beyond each.
  const auto good = [](const std::string& field, const std::string& value) {
    INFO(field << "=" << value);
    CHECK(mistakes(kSmall, {field + "=" + value}) == "");
  };
  const auto bad = [](const std::string& field, const std::string& value) {
    INFO(field << "=" << value);
    CHECK_THAT(mistakes(kSmall, {field + "=" + value}), contains_text(field + ": must be"));
  };
  for (const char* field :
       {"deployment.efficiency.gemm.compute", "deployment.efficiency.decode_attention.memory",
        "cluster.scale_up_figures.efficiency"}) {
    good(field, "0.001");
    good(field, "1");
    bad(field, "0.000999");
    bad(field, "1e-320");
    bad(field, "1.001");
  }
  good("cluster.nic_figures.bandwidth", "1 MB/s");
  good("cluster.nic_figures.bandwidth", "1000 TB/s");
  bad("cluster.nic_figures.bandwidth", "999 kB/s");
  bad("cluster.nic_figures.bandwidth", "1001 TB/s");
}

TEST_CASE("scenario reader: all nine presets can be used") {
  for (const char* preset :
       {"chat_steady", "chat_diurnal", "code_completion_bursty", "code_diurnal",
        "long_context_chat", "rag_campus", "reasoning_r1", "api_mixed_large"}) {
    const std::string open = std::string("workload={preset: \"") + preset + "\"}";
    CHECK(mistakes(kSmall, {open}) == "");
    CHECK(mistakes(kSmall, {open, "workload.concurrency=8"}) == "");
  }
  // Published without rate and lengths: the scenario must say them.
  CHECK_THAT(mistakes(kSmall, {"workload={preset: \"deepseek_v3r1_day\"}"}),
             contains_text("--set workload={preset: \"deepseek_v3r1_day\"}: error: workload.rate: "
                           "is missing"));
  CHECK(mistakes(kSmall, {"workload.preset=deepseek_v3r1_day"}) == "");
}

TEST_CASE("scenario reader: a Hugging Face config is read and resolved to a model written out") {
  std::ifstream there(std::string(MOESIM_SHARED_DIR) + "/hf_configs/Qwen--Qwen3-8B.json");
  if (!there) {
    WARN("skipped: no Hugging Face configs beside the checkout");
    return;
  }
  const Scenario s = read(kSmall, {std::string("huggingface_config=") + MOESIM_SHARED_DIR +
                                   "/hf_configs/Qwen--Qwen3-8B.json"});
  CHECK(s.deployment.model.layers() == 36);
  CHECK_THAT(s.resolved_text, contains_text("inline_model"));
  CHECK(read(s.resolved_text).resolved_text == s.resolved_text);
  CHECK_THAT(mistakes(kSmall, {"huggingface_config=nowhere.json"}),
             contains_text("paths start at the folder of this file"));
}

TEST_CASE("scenario reader: JSON with the same names is the same scenario") {
  const std::string json = R"({
    "model": "Llama-3.1-8B",
    "cluster": {"gpu": "H100-SXM", "scale_out": "NONE", "nodes": "1"},
    "deployment": {"tp": 2, "pp": null},
    "workload": {"arrivals": {"poisson": {}}, "rate": "5 req/s",
                 "input": {"fixed_tokens": 100}, "output": {"fixed_tokens": 10}},
    "simulation": {"max_requests": 10}
  })";
  const Scenario from_json =
      read_scenario_text(json, test::origin(Syntax::Json), {}, test::shipped_catalog());
  CHECK(from_json.resolved_text == read(kSmall).resolved_text);
}

TEST_CASE("scenario reader: mistakes of JSON carry their place too") {
  const std::string json =
      "{\n  \"modle\": \"Llama-3.1-8B\",\n  \"cluster\": {\"gpu\": \"H100-SXM\", \"nodes\": "
      "\"four\"}\n}\n";
  CHECK_THAT(mistakes(json, {}, Syntax::Json),
             contains_text("x.json:2:3: error: modle: is no field of the schema; did you mean "
                           "\"model\"?"));
  CHECK_THAT(mistakes(json, {}, Syntax::Json),
             contains_text("x.json:3:43: error: cluster.nodes: expected a whole number, got "
                           "\"four\""));
  CHECK_THAT(mistakes("{\"model\": \"a\" \"name\": 1}", {}, Syntax::Json),
             contains_text("x.json:1:15: error: expected ','"));
  CHECK_THAT(mistakes("{\"model\": \"a\",}", {}, Syntax::Json),
             contains_text("a comma stands before '}'"));
  CHECK_THAT(mistakes("[1]", {}, Syntax::Json), contains_text("expected '{'"));
}

TEST_CASE("scenario reader: every mistake of a file is reported at once, in file order") {
  const std::string text =
      "model: \"Llama-3.1-8b-Instruktion\"\n"
      "cluster { gpu: \"H100-SMX\" nodes: four }\n"
      "deployment { tp: 3 bogus: 1 scheduler { max_num_seqs: -1 } }\n"
      "workload { arrivals { poisson {} } rate: \"5\" input { fixed_tokens: 100 } }\n"
      "pricing { gpu_price: \"2.69 EUR/h\" }\n";
  const std::string found = mistakes(text);
  const std::vector<std::string> in_order = {
      "x.txtpb:1:8: error: model: is no model of the catalog",
      "x.txtpb:2:16: error: cluster.gpu: is no GPU of the catalog, got \"H100-SMX\"; did you mean "
      "\"H100-SXM\"?",
      "x.txtpb:2:34: error: cluster.nodes: expected a whole number, got \"four\"",
      "x.txtpb:3:20: error: deployment.bogus: is no field of the schema",
      "x.txtpb:3:55: error: deployment.scheduler.max_num_seqs: must be 1..65536, got -1",
      "x.txtpb:4:1: error: workload.output",
      "x.txtpb:4:42: error: workload.rate:",
      "x.txtpb:5:22: error: pricing.gpu_price:"};
  std::size_t at = 0;
  for (const std::string& line : in_order) {
    INFO(line << "\n in \n" << found);
    const std::size_t where = found.find(line, at);
    CHECK(where != std::string::npos);
    if (where != std::string::npos) at = where;
  }
}

TEST_CASE("scenario reader: references between fields are checked") {
  const auto moe = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"model=DeepSeek-V3", "cluster.gpu=H200-SXM", "cluster.nodes=4"});
    return mistakes(kSmall, more);
  };
  CHECK(moe({"deployment.tp=1", "deployment.dp=32"}) == "");
  CHECK_THAT(moe({"deployment.tp=1", "deployment.dp=7", "deployment.ep=7"}),
             contains_text("deployment.ep: 256 experts do not divide over ep 7"));
  CHECK_THAT(mistakes(kSmall, {"deployment.tp=5"}),
             contains_text("deployment.tp: 32 attention heads do not divide over tp 5"));
  CHECK_THAT(mistakes(kSmall, {"deployment.replicas=5"}),
             contains_text("take 10 GPUs, the cluster has 8"));
  CHECK_THAT(mistakes(kSmall, {"experts.placement.strategy=eplb"}),
             contains_text("Llama-3.1-8B has no routed experts"));
  CHECK_THAT(moe({"experts.placement.strategy=epbl", "deployment.dp=16"}),
             contains_text("did you mean \"eplb\"?"));
  CHECK_THAT(mistakes(kSmall, {"deployment.scheduler.max_model_len=200000"}),
             contains_text("more than the context of Llama-3.1-8B, 131072"));
  CHECK_THAT(mistakes(kSmall, {"deployment.scheduler.max_model_len=109"}),
             contains_text("requests of up to 110 tokens are longer than 109"));
  CHECK_THAT(mistakes(kSmall, {"deployment.scheduler.enable_chunked_prefill=false",
                               "deployment.scheduler.max_num_batched_tokens=99",
                               "deployment.scheduler.max_num_seqs=9"}),
             contains_text("prompts of up to 100 tokens above max_num_batched_tokens 99"));
  CHECK_THAT(mistakes(kSmall, {"cluster.nodes=2", "cluster.scale_out=NONE"}),
             contains_text("NONE leaves 2 nodes without a way to each other"));
  CHECK_THAT(mistakes(kSmall, {"simulation.max_requests=0"}),
             contains_text("the workload has no end of its own"));
  CHECK_THAT(mistakes(kSmall, {"simulation.warm_up=2 s", "simulation.duration=1 s"}),
             contains_text("no request would be counted"));
}

TEST_CASE("scenario reader: an engine's own names, and no other's") {
  const auto scheduler = [](const std::string& engine, const std::string& setting) {
    return read(kSmall, {"deployment.engine=" + engine, "deployment.scheduler." + setting})
        .deployment.scheduler;
  };
  CHECK(scheduler("sglang", "max_running_requests=7").max_num_seqs == 7);
  CHECK(scheduler("sglang", "chunked_prefill_size=4096").max_num_batched_tokens == 4096);
  CHECK(scheduler("tensorrt_llm", "max_num_tokens=4096").max_num_batched_tokens == 4096);
  CHECK(scheduler("tensorrt_llm", "tokens_per_block=64").block_size == 64);
  CHECK(scheduler("tensorrt_llm", "max_num_seqs=9").max_num_seqs == 9);
  CHECK(scheduler("tensorrt_llm", "kv_cache_free_gpu_memory_fraction=0.8").gpu_memory_utilization <
        0.81);
  CHECK_THAT(mistakes(kSmall, {"deployment.scheduler.max_running_requests=7"}),
             contains_text("max_running_requests: is a setting of SGLang, the engine is vLLM"));
  CHECK_THAT(
      mistakes(kSmall, {"deployment.engine=SGLang", "deployment.scheduler.max_num_tokens=7"}),
      contains_text("SGLang calls it chunked_prefill_size"));
  CHECK_THAT(mistakes(kSmall, {"deployment.engine=SGLang", "deployment.scheduler.page_size=8",
                               "deployment.scheduler.block_size=8"}),
             contains_text("is block_size, which is given too"));
  const auto trt = read(kSmall, {"deployment.engine=tensorrt_llm"}).deployment;
  CHECK(trt.scheduler.max_num_seqs == 2048);
  CHECK(trt.memory.memory_share == catalog::MemoryShare::Free);
}

TEST_CASE("scenario reader: what an engine is documented not to do is refused, the rest noted") {
  CHECK_THAT(mistakes(kSmall, {"deployment.engine=llama_cpp", "deployment.precision=fp8"}),
             contains_text("llama.cpp reads GGUF files, of which fp8_block128 is no format"));
  CHECK(mistakes(kSmall, {"deployment.engine=llama_cpp", "deployment.precision=Q4_K_M"}) == "");
  const auto noted = [](const std::vector<std::string>& overrides, const std::string& text) {
    const auto notes = read(kSmall, overrides).notes;
    return std::any_of(notes.begin(), notes.end(),
                       [&](const std::string& n) { return n.find(text) != std::string::npos; });
  };
  CHECK(noted({"deployment.engine=tgi"}, "not verified: that TGI runs Llama-3.1-8B"));
  CHECK(noted({"deployment.engine=SGLang", "deployment.pp=2"},
              "not verified: that SGLang runs Llama-3.1-8B with PP"));
  CHECK_FALSE(noted({}, "not verified"));
  const std::vector<std::string> deepseek = {"model=DeepSeek-V3", "cluster.gpu=MI300X",
                                             "deployment.engine=llama.cpp",
                                             "deployment.precision=Q4_K_M"};
  std::vector<std::string> spread = deepseek;
  spread.insert(spread.end(), {"deployment.tp=1", "deployment.dp=8"});
  CHECK_THAT(mistakes(kSmall, spread),
             contains_text("deployment.dp: llama.cpp does not support DP for DeepSeek-V3"));
}

TEST_CASE("scenario reader: fidelity") {
  CHECK(read(kSmall).run.fidelity == serving::Fidelity::Exact);
  CHECK(read(kSmall, {"simulation.fidelity=SAMPLED"}).run.fidelity == serving::Fidelity::Sampled);
}

TEST_CASE("scenario reader: prices name provider, term and date") {
  const Scenario chosen = read(kSmall, {"pricing.provider=lambda", "pricing.term=on-demand (8x)"});
  CHECK(chosen.pricing.provider == "Lambda");
  CHECK(chosen.pricing.per_gpu == 3.99_USDph);
  CHECK(chosen.pricing.date == "2026-09-25");
  const Scenario set = read(kSmall, {"pricing.gpu_price=1.5 USD/h"});
  CHECK(set.pricing.provider == "set in the scenario");
  CHECK_THAT(mistakes(kSmall, {"pricing.provider=Lambada"}), contains_text("did you mean"));
  CHECK_THAT(mistakes(kSmall, {"pricing.provider=Lambda", "pricing.term=spot"}),
             contains_text("its terms: on-demand (8x)"));
  CHECK_THAT(mistakes(kSmall, {"pricing.provider=Lambda", "pricing.gpu_price=1 USD/h"}),
             contains_text("does not go with gpu_price"));
}

}  // namespace
}  // namespace moesim::scenario
