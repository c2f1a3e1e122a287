#include "serving/fleet.h"

#include <rapidcheck.h>

#include "serving/kv_transfer.h"
#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::request_at;
using moesim::test::toy_deployment;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

/// Two nodes: GPU i of node 0 prefills, GPU i of node 1 decodes.
Fleet toy_fleet(std::int64_t gpus, KvTransferMode mode) {
  Deployment prefill = toy_deployment(test::toy_dense_model(), {.replicas = gpus});
  prefill.cluster = test::toy_cluster(2, gpus);
  Deployment decode = prefill;
  prefill.role = PoolRole::Prefill;
  decode.role = PoolRole::Decode;
  decode.first_gpu = gpus;
  decode.first_instance = gpus;
  return {.pools = {prefill, decode}, .kv_transfer = {.mode = mode}};
}

RunResult run_fleet(const Fleet& fleet, std::vector<workload::Request> requests,
                    std::int64_t prefill_blocks = 1'000'000,
                    std::int64_t decode_blocks = 1'000'000) {
  const topology::Topology topology(fleet.pools.front().cluster);
  test::ListSource source(std::move(requests));
  const std::int64_t size = fleet.pools.front().scheduler.block_size;
  const std::vector<plan::MemoryReport> memory = {test::toy_memory(prefill_blocks, size),
                                                  test::toy_memory(decode_blocks, size)};
  return simulate(fleet, topology, memory, {.source = &source}, {}, {});
}

/// TTFT of one prompt that is served where it is computed.
Seconds prefill_time(const Fleet& fleet, std::int32_t input) {
  Deployment alone = fleet.pools.front();
  alone.role = PoolRole::Mixed;
  return test::run(alone, {request_at(0_s, input, 1)}).requests[0].ttft().seconds();
}

// The cache of a token: 2 layers * 2 heads * (100 + 100) values * 2 B = 1,600 B. 1,000 tokens over
// a NIC of 10 GB/s: 160 us. Latency of the path GPU - NIC - leaf - NIC - GPU as the topology has
// it.
constexpr double kTransferUs = 160.0;

double latency_us(const Fleet& fleet) {
  const topology::Topology topology(fleet.pools.front().cluster);
  const auto& d = fleet.pools;
  const auto flows =
      net::transfer_flows(topology, cache_transfers(d.front(), {}, d.back(), {}, 1000));
  return flows.phases.at(0).latency / 1.0_us;
}

TEST_CASE("handover: the first token comes when the cache has arrived", "[serving][oracle]") {
  const Fleet fleet = toy_fleet(1, KvTransferMode::AtEnd);
  const RunResult result = run_fleet(fleet, {request_at(0_s, 1000, 5)});
  REQUIRE(result.requests.size() == 1);
  const double expected = prefill_time(fleet, 1000) / 1.0_us + kTransferUs + latency_us(fleet);
  CHECK_THAT(result.requests[0].ttft().seconds() / 1.0_us, WithinRel(expected, 1e-6));
  REQUIRE(result.handover);
  CHECK(result.handover->requests == 1);
  CHECK_THAT(result.handover->bytes / kByte, WithinRel(1.6e6, 1e-12));
  CHECK_THAT(result.handover->wait / 1.0_us, WithinAbs(0.0, 1e-9));
  CHECK(result.pools.at(0).time.iterations == 1);
  CHECK(result.pools.at(1).time.iterations == 4);
}

TEST_CASE("handover: layers that are computed leave before the last", "[serving][oracle]") {
  const Fleet fleet = toy_fleet(1, KvTransferMode::Layerwise);
  const RunResult result = run_fleet(fleet, {request_at(0_s, 1000, 5)});
  // The first of two layers leaves at half the prefill, the second at its end. The first is through
  // before that if half the prefill takes longer than its 80 us and latency.
  const double prefill = prefill_time(fleet, 1000) / 1.0_us;
  const double latency = latency_us(fleet);
  REQUIRE(prefill / 2 > kTransferUs / 2 + latency);
  CHECK_THAT(result.requests[0].ttft().seconds() / 1.0_us,
             WithinRel(prefill + kTransferUs / 2 + latency, 1e-6));
}

TEST_CASE("handover: two caches share the NIC they need", "[serving][oracle]") {
  // Both prompts fit one iteration of the one prefill GPU; both caches leave by its NIC at once.
  Fleet fleet = toy_fleet(1, KvTransferMode::AtEnd);
  const RunResult result = run_fleet(fleet, {request_at(0_s, 1000, 2), request_at(0_s, 1000, 2)});
  const double one = result.handover->transfer / 1.0_us;
  // Sum over the two: each takes twice 160 us, and its latency.
  CHECK_THAT(one, WithinRel(2 * (2 * kTransferUs + latency_us(fleet)), 1e-6));
}

TEST_CASE("handover: a full decode pool holds prefill back", "[serving][oracle]") {
  // 1,000 + 20 tokens take 64 blocks of 16: the decode rank holds one at a time, the prefill rank
  // two prompts (63 blocks each).
  const Fleet fleet = toy_fleet(1, KvTransferMode::AtEnd);
  const std::vector<workload::Request> requests(6, request_at(0_s, 1000, 20));
  const RunResult tight = run_fleet(fleet, requests, 126, 64);
  CHECK(tight.summary.requests_completed == 6);
  CHECK(tight.pools[0].kv.peak_blocks == 126);
  CHECK(tight.pools[1].kv.peak_blocks <= 64);
  CHECK(tight.handover->wait > Seconds{});
  const RunResult roomy = run_fleet(fleet, requests);
  CHECK(roomy.end < tight.end);
}

TEST_CASE("handover: pools must agree on what a block is", "[serving]") {
  Fleet fleet = toy_fleet(1, KvTransferMode::AtEnd);
  CHECK(check_handover(fleet.pools[0], fleet.pools[1]).empty());
  fleet.pools[1].scheduler.block_size = 64;
  fleet.pools[1].precision.kv_element = 1_B;
  fleet.pools[0].layout.tp = 2;
  fleet.pools[1].layout.tp = 3;
  CHECK(check_handover(fleet.pools[0], fleet.pools[1]).size() == 3);
}

TEST_CASE("handover: every request ends, whatever the room", "[serving][property]") {
  CHECK(rc::check("tokens, blocks and bytes are conserved", [] {
    const auto mode = *rc::gen::element(KvTransferMode::AtEnd, KvTransferMode::Layerwise);
    const auto gpus = *rc::gen::inRange<std::int64_t>(1, 4);
    Fleet fleet = toy_fleet(gpus, mode);
    for (Deployment& pool : fleet.pools) {
      pool.scheduler.max_num_batched_tokens = *rc::gen::inRange<std::int64_t>(16, 200);
      pool.scheduler.max_num_seqs = *rc::gen::inRange<std::int64_t>(1, 8);
    }
    std::vector<workload::Request> requests;
    const int count = *rc::gen::inRange(1, 25);
    for (int i = 0; i < count; ++i) {
      requests.push_back(
          request_at(i * 10_us, *rc::gen::inRange(1, 300), *rc::gen::inRange(1, 100)));
    }
    // 400 tokens take 25 blocks.
    const RunResult result = run_fleet(fleet, requests, *rc::gen::inRange<std::int64_t>(25, 60),
                                       *rc::gen::inRange<std::int64_t>(25, 60));
    RC_ASSERT(result.summary.requests_completed == count);
    double tokens = 0;
    for (const workload::Request& r : requests) tokens += r.output_tokens > 1 ? r.input_tokens : 0;
    // No cache is sent twice, even if its prompt is computed again.
    RC_ASSERT(std::abs(result.handover->bytes / kByte - 1600.0 * tokens) <= 1e-6 * tokens);
  }));
}

}  // namespace
}  // namespace moesim::serving
