#include <rapidcheck.h>

#include <memory>
#include <set>
#include <vector>

#include "serving/simulation.h"
#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"
#include "workload/request.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::toy_deployment;
using moesim::test::WithinRel;

/// A request whose prompt has these blocks of 16 tokens.
struct Prompt {
  Seconds arrival;
  std::int32_t input;
  std::int32_t output;
  std::vector<std::uint64_t> ids;
};

struct Settings {
  std::int64_t blocks = 100'000;
  std::int64_t concurrency = 0;
  BytesPerToken kv = 1000.0 * kByte / kToken;
  AssumedReuse reuse{};
};

RunResult run_prompts(const Deployment& d, const std::vector<Prompt>& prompts,
                      const Settings& settings = {}) {
  workload::Trace trace;
  trace.hash_block_tokens = 16;
  for (const Prompt& p : prompts) {
    workload::Request r = test::request_at(p.arrival, p.input, p.output);
    r.prefix = {.offset = static_cast<std::uint32_t>(trace.hash_ids.size()),
                .count = static_cast<std::uint32_t>(p.ids.size())};
    trace.hash_ids.insert(trace.hash_ids.end(), p.ids.begin(), p.ids.end());
    trace.requests.push_back(r);
  }
  const auto source = workload::make_trace_source(trace);
  plan::MemoryReport memory = test::toy_memory(settings.blocks, d.scheduler.block_size);
  memory.kv_bytes_per_token = memory.kv_bytes_per_token_per_gpu = settings.kv;
  return simulate(
      d, topology::Topology(d.cluster), memory,
      {.source = source.get(), .concurrency = settings.concurrency, .reuse = settings.reuse}, {},
      {});
}

Deployment caching(plan::Layout layout = {}) {
  Deployment d = toy_deployment(test::toy_dense_model(), layout);
  d.scheduler.block_size = 8;
  d.scheduler.prefix_cache.enabled = true;
  return d;
}

TEST_CASE("prefix cache: a prompt computes what no earlier one has", "[serving][oracle]") {
  // The second prompt shares 2 blocks of 16 with the first; the third is the first again: 64
  // tokens, of which the last block of 8 is computed, since the answer needs it. 32 + 56 of 192
  // tokens.
  const Deployment d = caching();
  const std::vector<Prompt> prompts = {
      {0_s, 64, 2, {1, 2, 3, 4}}, {1_s, 64, 2, {1, 2, 5, 6}}, {2_s, 64, 2, {1, 2, 3, 4}}};
  const RunResult result = run_prompts(d, prompts);
  REQUIRE(result.prefix);
  CHECK(result.prefix->asked == 192);
  CHECK(result.prefix->found[0] == 32 + 56);
  // The second takes as long as 32 tokens after 32: a prompt of 64 whose first half another chunk
  // computed before.
  Deployment chunks = toy_deployment(test::toy_dense_model(), {});
  chunks.scheduler.max_num_seqs = 32;
  chunks.scheduler.max_num_batched_tokens = 32;
  const SimTime two = test::run(chunks, {test::request_at(0_s, 64, 1)}).requests[0].ttft();
  const SimTime one = test::run(chunks, {test::request_at(0_s, 32, 1)}).requests[0].ttft();
  // The first chunk of two has no row of the head, a prompt of 32 has: it takes less than `one`.
  CHECK(result.requests[1].ttft() > two - one);
  CHECK(result.requests[1].ttft() < two);
  CHECK(result.requests[2].ttft() < result.requests[1].ttft());
  CHECK(result.requests[1].ttft() < result.requests[0].ttft());
}

TEST_CASE("prefix cache: running sequences take the room of what nobody reads",
          "[serving][oracle]") {
  // A pool of 10 blocks of 8. The first prompt leaves 8 cached; the second has none in common and
  // needs 9 blocks for its 72 tokens: 7 of the cached go, tail first. One block of 8, half of the
  // first id of 16, cannot be left: ids go whole. The third prompt finds nothing.
  const Deployment d = caching();
  const RunResult result = run_prompts(
      d, {{0_s, 64, 1, {1, 2, 3, 4}}, {1_s, 72, 1, {7, 8, 9, 10, 11}}, {2_s, 64, 1, {1, 2, 3, 4}}},
      {.blocks = 10});
  CHECK(result.prefix->found[0] == 0);
  // With 13 blocks, 9 taken leave 4: the first two ids.
  const RunResult more = run_prompts(
      d, {{0_s, 64, 1, {1, 2, 3, 4}}, {1_s, 72, 1, {7, 8, 9, 10, 11}}, {2_s, 64, 1, {1, 2, 3, 4}}},
      {.blocks = 13});
  CHECK(more.prefix->found[0] == 32);
}

TEST_CASE("prefix cache: a prompt that fills the pool is served though it is cached",
          "[serving][oracle]") {
  const Deployment d = caching();
  const RunResult result =
      run_prompts(d, {{0_s, 64, 1, {1, 2, 3, 4}}, {1_s, 64, 1, {1, 2, 3, 4}}}, {.blocks = 8});
  CHECK(result.summary.requests_completed == 2);
}

TEST_CASE("prefix cache: what the GPU dropped is loaded from the host", "[serving][oracle]") {
  // As above, but the host keeps all: 64 - 8 tokens come back, 7 blocks of 8 * 1000 B at 1 MB/s,
  // 56 ms, and 1 ms of latency.
  Deployment d = caching();
  const std::vector<Prompt> prompts = {
      {0_s, 64, 1, {1, 2, 3, 4}}, {1_s, 72, 1, {7, 8, 9, 10, 11}}, {2_s, 64, 1, {1, 2, 3, 4}}};
  d.scheduler.prefix_cache.host = {.capacity = 1_MB, .bandwidth = 1_MB / 1.0_s, .latency = 1_ms};
  const RunResult result = run_prompts(d, prompts, {.blocks = 10});
  CHECK(result.prefix->found[static_cast<std::size_t>(CacheTier::Host)] == 56);
  CHECK(result.prefix->found[0] == 0);
  const double computing = result.requests[2].ttft().milliseconds() - 57.0;
  CHECK(computing > 0.0);
  CHECK(computing < result.requests[0].ttft().milliseconds());
  // A host of 32 kB keeps 4 blocks, two ids: those used last, the head of the second prompt. The
  // disk has the rest, and two prompts that come together wait for each other on its link.
  d.scheduler.prefix_cache.host->capacity = 32'000.0 * kByte;
  d.scheduler.prefix_cache.disk = {.capacity = 1_MB, .bandwidth = 1_MB / 1.0_s, .latency = 0_s};
  const RunResult both = run_prompts(d, prompts, {.blocks = 10});
  CHECK(both.prefix->found[static_cast<std::size_t>(CacheTier::Disk)] == 56);
  CHECK(both.requests[2].ttft() >= SimTime::from(56_ms));
}

TEST_CASE("prefix cache: an assumed share is not computed, and loaded where it lies",
          "[serving][oracle]") {
  // Half of 64 tokens, found on a disk that gives 1 MB/s: 32 * 1000 B in 32 ms.
  Deployment d = caching();
  const std::vector<Prompt> one = {{0_s, 64, 2, {}}};
  const RunResult gpu = run_prompts(d, one, {.reuse = {.share = 0.5}});
  CHECK(gpu.prefix->found[0] == 32);
  d.scheduler.prefix_cache.disk = {.capacity = 1_GB, .bandwidth = 1_MB / 1.0_s, .latency = 0_s};
  const RunResult disk = run_prompts(d, one, {.reuse = {.share = 0.5, .tier = CacheTier::Disk}});
  CHECK_THAT((disk.requests[0].ttft() - gpu.requests[0].ttft()).milliseconds(),
             WithinRel(32.0, 1e-9));
}

TEST_CASE("prefix cache: every prompt is served and every block comes back, whatever is shared",
          "[serving][property]") {
  CHECK(rc::check([] {
    const auto pp = *rc::gen::element<std::int64_t>(1, 2);
    Deployment d = caching({.pp = pp, .replicas = *rc::gen::inRange<std::int64_t>(1, 3)});
    d.router = *rc::gen::element(RouterPolicy::LeastLoad, RouterPolicy::PrefixAware);
    d.scheduler.max_num_seqs = *rc::gen::inRange<std::int64_t>(2, 12);
    d.scheduler.max_num_batched_tokens = *rc::gen::inRange<std::int64_t>(170, 400);
    d.scheduler.enable_chunked_prefill = *rc::gen::arbitrary<bool>();
    if (*rc::gen::arbitrary<bool>()) {
      d.scheduler.prefix_cache.host = {.capacity = 300_kB, .bandwidth = 1_GB / 1.0_s};
    }
    if (*rc::gen::arbitrary<bool>()) {
      d.scheduler.prefix_cache.disk = {.capacity = 2_MB, .bandwidth = 1_GB / 1.0_s};
    }
    std::vector<Prompt> prompts;
    Seconds t;
    std::int64_t input = 0;
    const auto n = *rc::gen::inRange(1, 40);
    for (int i = 0; i < n; ++i) {
      t += *rc::gen::inRange(0, 300) * 1.0_us;
      Prompt p{t, *rc::gen::inRange(1, 150), *rc::gen::inRange(1, 40), {}};
      std::uint64_t id = 1;
      for (int k = 0; k < (p.input + 15) / 16; ++k) {
        p.ids.push_back(id = 3 * id + *rc::gen::inRange<unsigned>(0, 2));
      }
      input += p.input;
      prompts.push_back(std::move(p));
    }
    const RunResult result =
        run_prompts(d, prompts, {.blocks = 25 + *rc::gen::inRange<std::int64_t>(0, 60)});
    RC_ASSERT(result.summary.requests_completed == n);
    RC_ASSERT(result.prefix->asked == input);
  }));
}

}  // namespace
}  // namespace moesim::serving
