#include "plan/memory.h"

#include <rapidcheck.h>

#include <cmath>

#include "catalog/kv_cache.h"
#include "catalog/parameters.h"
#include "plan/weights.h"
#include "plan/workspace.h"
#include "tests/support/catch.h"
#include "tests/unit/plan/known_models.h"

namespace moesim::plan {
namespace {

using moesim::test::contains_text;
using moesim::test::WithinRel;
using namespace moesim::literals;

double bytes(Bytes b) { return b / kByte; }

// The toy model in bf16 (2 B). Per layer: q 8*8 = 64, o 64 (both over heads); k and v 8*4 = 32
// each; norms 16. Dense block 3*8*16 = 384. Expert 3*8*4 = 96, 8 of them; router 8*8 = 64; shared
// expert 96. Embedding and head 100*8 = 800 each; final norm 8.
TEST_CASE("stage_weights: one GPU holds everything", "[plan][oracle]") {
  const MemoryBreakdown w = stage_weights(test::toy_moe(), test::precision_of(16), {}, {}, 0);
  CHECK_THAT(bytes(w.attention), WithinRel(2.0 * 4 * 192, 1e-12));
  CHECK_THAT(bytes(w.dense_ffn), WithinRel(2.0 * 384, 1e-12));
  CHECK_THAT(bytes(w.routed_experts), WithinRel(2.0 * 3 * 8 * 96, 1e-12));
  CHECK_THAT(bytes(w.shared_experts), WithinRel(2.0 * 3 * 96, 1e-12));
  CHECK_THAT(bytes(w.router), WithinRel(2.0 * 3 * 64, 1e-12));
  CHECK_THAT(bytes(w.norms), WithinRel(2.0 * (4 * 16 + 8), 1e-12));
  CHECK_THAT(bytes(w.embedding), WithinRel(2.0 * 800, 1e-12));
  CHECK_THAT(bytes(w.head), WithinRel(2.0 * 800, 1e-12));
  CHECK_THAT(bytes(w.weights()),
             WithinRel(bytes(catalog::weight_bytes(catalog::count_parameters(test::toy_moe()),
                                                   test::precision_of(16))),
                       1e-12));
}

TEST_CASE("stage_weights: tp divides heads, repeats key-value heads and norms", "[plan][oracle]") {
  // tp 4: q and o 128/4 = 32; k and v one head of two: 64/2 = 32. 4 layers of 64 elements.
  const MemoryBreakdown w =
      stage_weights(test::toy_moe(), test::precision_of(16), {.tp = 4}, {}, 0);
  CHECK_THAT(bytes(w.attention), WithinRel(2.0 * 4 * 64, 1e-12));
  CHECK_THAT(bytes(w.dense_ffn), WithinRel(2.0 * 96, 1e-12));
  CHECK_THAT(bytes(w.routed_experts), WithinRel(2.0 * 3 * 8 * 24, 1e-12));  // Each expert in 4.
  CHECK_THAT(bytes(w.router), WithinRel(2.0 * 3 * 64, 1e-12));
  CHECK_THAT(bytes(w.head), WithinRel(2.0 * 200, 1e-12));
}

TEST_CASE("stage_weights: dp repeats all but the routed experts", "[plan][oracle]") {
  // tp 2, dp 2, ep 2, 4 copies more: (8 + 4) / 2 = 6 experts, each in tp*dp/ep = 2 parts of 48.
  const MemoryBreakdown w = stage_weights(test::toy_moe(), test::precision_of(16),
                                          {.tp = 2, .dp = 2, .ep = 2}, {.redundant_experts = 4}, 0);
  CHECK_THAT(bytes(w.routed_experts), WithinRel(2.0 * 3 * 6 * 48, 1e-12));
  CHECK_THAT(bytes(w.shared_experts), WithinRel(2.0 * 3 * 48, 1e-12));
  CHECK_THAT(bytes(w.attention), WithinRel(2.0 * 4 * 96, 1e-12));
  CHECK_THAT(bytes(w.embedding), WithinRel(2.0 * 400, 1e-12));
}

TEST_CASE("stage_weights: embedding on the first stage, head and MTP on the last",
          "[plan][oracle]") {
  catalog::Model model = test::toy_moe();
  // A module = an MoE layer (192 + 768 + 64 + 96 + 16 = 1136) and a 16 x 8 projection.
  model.mtp_modules = 1;
  model.mtp_parameters = 1136 + 128;
  const Layout layout{.pp = 2};
  const MemoryOptions options{.load_mtp = true};
  const MemoryBreakdown first = stage_weights(model, test::precision_of(16), layout, options, 0);
  const MemoryBreakdown last = stage_weights(model, test::precision_of(16), layout, options, 1);
  CHECK(bytes(first.head) + bytes(first.mtp) + bytes(last.embedding) < 0.5);
  CHECK_THAT(bytes(last.mtp), WithinRel(2.0 * 1264, 1e-12));
  CHECK_THAT(bytes(last.head), WithinRel(1600.0, 1e-12));
  // Two layers each: the dense one stands on the first stage.
  CHECK_THAT(bytes(first.routed_experts), WithinRel(2.0 * 8 * 96, 1e-12));
  CHECK_THAT(bytes(last.routed_experts), WithinRel(2.0 * 2 * 8 * 96, 1e-12));
  model.tied_embeddings = true;
  CHECK_THAT(bytes(stage_weights(model, test::precision_of(16), layout, {}, 1).head),
             WithinRel(1600.0, 1e-12));
  CHECK(bytes(stage_weights(model, test::precision_of(16), {}, {}, 0).head) < 0.5);
}

TEST_CASE("activation_peak: a dense block, by hand", "[plan][oracle]") {
  // hidden 4096, intermediate 14336, T = 1000, tp 2: 3 * 1000 * (4096 + 14336/2) * 2 B = 67.6 MB;
  // logits of 8 sequences: 8 * 128256 * 6 B = 6.2 MB are less.
  const catalog::Model model = test::model_named("Llama-3.1-8B");
  const MemoryOptions options{.max_num_batched_tokens = 1000, .max_num_seqs = 8};
  CHECK_THAT(bytes(activation_peak(model, test::precision_of(16), {.tp = 2}, options, 0)),
             WithinRel(3.0 * 1000 * (4096 + 7168) * 2, 1e-12));
  // 256 sequences: 256 * 128256 * 6 B = 197 MB are more.
  CHECK_THAT(bytes(activation_peak(model, test::precision_of(16), {.tp = 2},
                                   {.max_num_batched_tokens = 1000}, 0)),
             WithinRel(256.0 * 128256 * 6, 1e-12));
}

TEST_CASE("activation_peak: rows of the routed experts, by hand", "[plan][oracle]") {
  // V3, tp 8: 1000 * 8 rows of 7168 out and 3 * 2048/8 between, 2 B each, and 3 * 1000 * 7168 * 2.
  const MemoryOptions options{.max_num_batched_tokens = 1000, .max_num_seqs = 8};
  const catalog::Model v3 = test::deepseek_v3();
  CHECK_THAT(bytes(activation_peak(v3, test::precision_of(8), {.tp = 8}, options, 0)),
             WithinRel(8000.0 * (7168 + 3 * 256) * 2 + 3000.0 * 7168 * 2, 1e-12));
  // dp 32 = ep 32: the same rows, whole experts, and the received tokens at 2 B (bf16 dispatch).
  CHECK_THAT(
      bytes(activation_peak(v3, test::precision_of(8), {.dp = 32, .ep = 32}, options, 0)),
      WithinRel(8000.0 * (7168 + 3 * 2048) * 2 + 8000.0 * 7168 * 2 + 3000.0 * 7168 * 2, 1e-12));
}

TEST_CASE("graphs_and_communication: buffers of the low-latency all-to-all, by hand",
          "[plan][oracle]") {
  // 4 * 288 * 128 * 7168 * 2 B = 2.114 GB.
  const Bytes sum = graphs_and_communication(test::deepseek_v3(), test::precision_of(8),
                                             {.dp = 32, .ep = 32}, {.redundant_experts = 32});
  CHECK_THAT(bytes(sum - kCudaGraphs - kCollectiveBuffers),
             WithinRel(4.0 * 288 * 128 * 7168 * 2, 1e-9));
  CHECK(bytes(graphs_and_communication(test::deepseek_v3(), test::precision_of(8), {},
                                       {.cuda_graphs = false})) < 0.5);
}

TEST_CASE("plan_memory: budget, room and capacity of one GPU, by hand", "[plan][oracle]") {
  // Llama 8B bf16, 80 GB: budget 72 GB. Weights 16.0605 GB. Activations at 8192 tokens:
  // 3 * 8192 * (4096 + 14336) * 2 = 905.97 MB; graphs 0.5 GiB; runtime 1 GiB.
  const MemoryReport r = plan_memory(test::model_named("Llama-3.1-8B"), test::precision_of(16),
                                     test::gpu_of(80_GB), {}, {});
  const double weights = 8'030'261'248.0 * 2;
  const double room = 72e9 - weights - 3.0 * 8192 * 18432 * 2 - 1.5 * 1073741824.0;
  CHECK_THAT(bytes(r.per_gpu.weights()), WithinRel(weights, 1e-12));
  CHECK_THAT(bytes(r.kv_room), WithinRel(room, 1e-12));
  CHECK(r.verdict == Verdict::Fits);
  // 131,072 B per token: blocks of 16 tokens, whole ones.
  CHECK(r.kv_blocks_per_rank == static_cast<std::int64_t>(room / 131072 / 16));
  CHECK(r.kv_capacity_tokens == 16 * r.kv_blocks_per_rank);
  CHECK(r.useful_tokens == 8 * 4096);
}

TEST_CASE("plan_memory: the share of memory is of what the engine says", "[plan][oracle]") {
  // The deployment above: 16.0605 GB of weights, 0.906 + 0.537 + 1.074 GB of workspace.
  const double weights = 8'030'261'248.0 * 2;
  const double runtime = 1073741824.0;
  const double workspace = 3.0 * 8192 * 18432 * 2 + 0.5 * 1073741824.0 + runtime;
  const auto plan = [](double share, catalog::MemoryShare of) {
    return plan_memory(test::model_named("Llama-3.1-8B"), test::precision_of(16),
                       test::gpu_of(80_GB), {},
                       {.gpu_memory_utilization = share, .memory_share = of});
  };
  // TensorRT-LLM: 0.9 of the 61.42 GB that are free.
  const MemoryReport free = plan(0.9, catalog::MemoryShare::Free);
  CHECK_THAT(bytes(free.kv_room), WithinRel(0.9 * (80e9 - weights - workspace), 1e-12));
  CHECK_THAT(bytes(free.budget), WithinRel(bytes(free.kv_room) + weights + workspace, 1e-12));
  // SGLang: weights and cache in 0.88 of what the runtime leaves; 9.47 GB of the rest hold the
  // 1.44 GB of activations and graphs.
  const MemoryReport reserved = plan(0.88, catalog::MemoryShare::Reserved);
  CHECK_THAT(bytes(reserved.kv_room), WithinRel(0.88 * (80e9 - runtime) - weights, 1e-12));
  // A rest of 0.79 GB does not: the cache gives way.
  const MemoryReport greedy = plan(0.99, catalog::MemoryShare::Reserved);
  CHECK_THAT(bytes(greedy.kv_room), WithinRel(80e9 - weights - workspace, 1e-12));
}

TEST_CASE("plan_memory: golden weights and cache bytes of the usual models", "[plan][oracle]") {
  const auto one_gpu = [](const std::string& model, const std::string& precision, bool mtp) {
    return plan_memory(test::model_named(model), test::precision_named(precision),
                       test::gpu_of(2_TB), {}, {.load_mtp = mtp});
  };
  const auto weights = [&](const std::string& model, const std::string& precision) {
    return bytes(one_gpu(model, precision, false).per_gpu.weights()) / 1e9;
  };
  CHECK_THAT(weights("Llama-3.1-70B", "bf16"), WithinRel(141.1, 5e-4));
  CHECK_THAT(weights("Llama-3.1-70B", "Q4_K_M"), WithinRel(43.15, 2e-3));
  CHECK_THAT(weights("DeepSeek-V3", "fp8_block128"), WithinRel(673.2, 5e-4));
  CHECK_THAT(weights("DeepSeek-V3", "bf16"), WithinRel(1342.05, 5e-4));
  // Published with MTP: 688.5 GB of files, of which 2 * 1.853 GB are second copies of embedding and
  // head that no engine loads twice.
  CHECK_THAT(bytes(one_gpu("DeepSeek-V3", "fp8_block128", true).per_gpu.weights()) / 1e9,
             WithinRel(688.5 - 2 * 1.8534, 5e-4));
  const auto per_token = [&](const std::string& model) {
    return one_gpu(model, "bf16", false).kv_bytes_per_token * kToken / kByte;
  };
  CHECK_THAT(per_token("Llama-3.1-70B"), WithinRel(327'680.0, 1e-12));
  CHECK_THAT(per_token("Llama-3.1-8B"), WithinRel(131'072.0, 1e-12));
  CHECK_THAT(per_token("DeepSeek-V3"), WithinRel(70'272.0, 1e-12));
}

TEST_CASE("plan_memory: full windows and states are paid for each sequence", "[plan][oracle]") {
  catalog::Model model = test::model_named("Llama-3.1-8B");
  catalog::LayerKind window = model.kinds[0];
  window.attention.window = 1024;
  model.kinds.push_back(window);
  model.runs = {{.kind = 0, .count = 16}, {.kind = 1, .count = 16}};
  // Per token 16 * 4096 B grow; 16 * 4096 * 1024 = 67,108,864 B per sequence do not.
  const MemoryOptions options{.max_num_seqs = 10, .context = 8192, .block_size = 1};
  const MemoryReport r =
      plan_memory(model, test::precision_of(16), test::gpu_of(80_GB), {}, options);
  const double room = bytes(r.kv_room);
  CHECK_THAT(bytes(r.kv_bytes_per_sequence_per_gpu),
             WithinRel(8192.0 * 65536 + 67'108'864.0, 1e-12));
  CHECK(r.kv_capacity_tokens ==
        static_cast<std::int64_t>(std::floor((room - 10 * 67'108'864.0) / 65536)));
  // All layers windowed: what is left over is of no use, the batch limit decides.
  model.runs = {{.kind = 1, .count = 32}};
  CHECK(plan_memory(model, test::precision_of(16), test::gpu_of(80_GB), {}, options)
            .kv_capacity_tokens == 10 * 8192);
}

TEST_CASE("plan_memory: a context that no rank can hold does not fit", "[plan][oracle]") {
  // 70B on 8 x 80 GB: one 10M-token sequence needs 3.3 TB.
  const MemoryReport r = plan_memory(test::model_named("Llama-3.1-70B"), test::precision_of(16),
                                     test::gpu_of(80_GB), {.tp = 8}, {.context = 10'000'000});
  CHECK(r.verdict == Verdict::No);
  CHECK_THAT(r.reason, contains_text("one sequence of 10000000 tokens"));
  CHECK(r.tight_shortfall > 100_GB);
}

TEST_CASE("tightened: never loosens a setting", "[plan][property]") {
  CHECK(rc::check([] {
    MemoryOptions o;
    o.gpu_memory_utilization = *rc::gen::inRange(1, 101) / 100.0;
    o.max_num_batched_tokens = *rc::gen::inRange<std::int64_t>(1, 100'000);
    o.max_num_seqs = *rc::gen::inRange<std::int64_t>(1, 2000);
    const MemoryOptions t = tightened(o);
    RC_ASSERT(t.gpu_memory_utilization >= o.gpu_memory_utilization);
    RC_ASSERT(t.max_num_batched_tokens <= o.max_num_batched_tokens);
    RC_ASSERT(t.max_num_seqs <= o.max_num_seqs);
  }));
}

std::int64_t power_of_two(int most) { return std::int64_t{1} << *rc::gen::inRange(0, most + 1); }

TEST_CASE("stage_weights: ranks together hold each routed expert and copy once",
          "[plan][property]") {
  CHECK(rc::check([] {
    const Layout layout =
        normalised({.tp = power_of_two(3), .pp = power_of_two(2), .dp = power_of_two(3), .ep = 1});
    Layout spread = layout;
    spread.dp = power_of_two(3);
    spread.ep = spread.tp * spread.dp >> *rc::gen::inRange(0, 3);
    if (spread.ep < 2) spread.ep = spread.tp * spread.dp;
    spread = normalised(spread);
    const std::int64_t redundant = spread.ep * *rc::gen::inRange(0, 3);
    const catalog::Model v3 = test::deepseek_v3();
    RC_PRE(check_layout(spread, v3, redundant).empty());
    double sum = 0;
    for (std::int64_t stage = 0; stage < spread.pp; ++stage) {
      const MemoryBreakdown w =
          stage_weights(v3, test::precision_of(8), spread, {.redundant_experts = redundant}, stage);
      sum += bytes(w.routed_experts) * static_cast<double>(spread.tp * spread.dp);
    }
    const double expert = 3.0 * 7168 * 2048;
    RC_ASSERT(std::abs(sum / (58.0 * static_cast<double>(256 + redundant) * expert) - 1) < 1e-9);
  }));
}

TEST_CASE("stage_weights: stages together hold the model once", "[plan][property]") {
  CHECK(rc::check([] {
    const auto stages = *rc::gen::inRange<std::int64_t>(1, 62);
    const catalog::Model v3 = test::deepseek_v3();
    double sum = 0;
    for (std::int64_t stage = 0; stage < stages; ++stage) {
      sum += bytes(stage_weights(v3, test::precision_of(8), {.pp = stages}, {}, stage).weights());
    }
    const double whole =
        bytes(catalog::weight_bytes(catalog::count_parameters(v3), test::precision_of(8)));
    RC_ASSERT(std::abs(sum / whole - 1) < 1e-9);
  }));
}

TEST_CASE("stage_weights: more tp never makes a class larger", "[plan][property]") {
  for (const char* name : {"DeepSeek-V3", "Llama-3.1-70B"}) {
    const catalog::Model model = test::model_named(name);
    MemoryBreakdown before = stage_weights(model, test::precision_of(16), {}, {}, 0);
    for (std::int64_t tp = 2; tp <= 64; tp *= 2) {
      const MemoryBreakdown w = stage_weights(model, test::precision_of(16), {.tp = tp}, {}, 0);
      CHECK(w.attention <= before.attention);
      CHECK(w.dense_ffn <= before.dense_ffn);
      CHECK(w.routed_experts <= before.routed_experts);
      CHECK(w.shared_experts <= before.shared_experts);
      CHECK(w.embedding < before.embedding);
      CHECK(w.head < before.head);
      before = w;
    }
  }
}

TEST_CASE("plan_memory: more memory never worsens verdict or capacity", "[plan][property]") {
  CHECK(rc::check([] {
    const char* names[] = {"DeepSeek-V3", "Llama-3.1-70B", "Llama-3.1-8B", "Qwen2.5-72B"};
    catalog::Model model = test::model_named(names[*rc::gen::inRange(0, 4)]);
    if (*rc::gen::inRange(0, 2) == 1) {  // Half of the layers get windows.
      catalog::LayerKind window = model.kinds.back();
      window.attention.window = *rc::gen::inRange<std::int64_t>(1, 10'000);
      model.kinds.push_back(window);
      model.runs.push_back(
          {.kind = static_cast<std::int32_t>(model.kinds.size()) - 1, .count = 40});
    }
    const Layout layout{.tp = power_of_two(3), .pp = power_of_two(2)};
    MemoryOptions options;
    options.max_num_seqs = *rc::gen::inRange<std::int64_t>(1, 300);
    options.context = *rc::gen::inRange<std::int64_t>(0, 20'000);
    const double gb = *rc::gen::inRange(1, 400);
    const double more = gb + *rc::gen::inRange(0, 200);
    const auto plan = [&](double memory) {
      return plan_memory(model, test::precision_of(8), test::gpu_of(memory * 1_GB), layout,
                         options);
    };
    const MemoryReport small = plan(gb);
    const MemoryReport large = plan(more);
    RC_ASSERT(static_cast<int>(large.verdict) <= static_cast<int>(small.verdict));
    RC_ASSERT(large.kv_capacity_tokens >= small.kv_capacity_tokens);
    RC_ASSERT(large.tight_shortfall <= small.tight_shortfall);
  }));
}

}  // namespace
}  // namespace moesim::plan
