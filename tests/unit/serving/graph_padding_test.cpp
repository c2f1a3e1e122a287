#include "serving/graph_padding.h"

#include <array>
#include <utility>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

TEST_CASE("graph_for: the smallest size that holds the batch", "[serving][oracle]") {
  constexpr std::array<std::int64_t, 5> kSizes{1, 2, 4, 8, 16};
  CHECK(graph_for(kSizes, 1) == 1);
  CHECK(graph_for(kSizes, 3) == 4);
  CHECK(graph_for(kSizes, 8) == 8);
  CHECK(graph_for(kSizes, 9) == 16);
  CHECK(graph_for(kSizes, 17) == 0);
  CHECK(graph_for({}, 1) == 0);
}

TEST_CASE("default_graph_sizes: ranges, doubling, ends", "[serving][oracle]") {
  const catalog::EngineGraphs twice{.ranges = {{.first = 1, .last = 2},
                                               {.first = 4, .last = 4},
                                               {.first = 8, .last = 24, .step = 8}},
                                    .times_max_num_seqs = 2};
  CHECK(default_graph_sizes(twice, 8) == std::vector<std::int64_t>{1, 2, 4, 8, 16});
  CHECK(default_graph_sizes(twice, 1024).back() == 24);
  const catalog::EngineGraphs own{
      .ranges = {{.first = 1, .last = 2}, {.first = 4, .last = 64, .step = 4}},
      .captures_max_num_seqs = true};
  CHECK(default_graph_sizes(own, 10) == std::vector<std::int64_t>{1, 2, 4, 8, 10});
  CHECK(default_graph_sizes(own, 65).back() == 64);
  const catalog::EngineGraphs doubling{
      .ranges = {{.first = 1, .last = 1}, {.first = 4, .last = 1024, .doubling = true}},
      .captures_max_num_seqs = true};
  CHECK(default_graph_sizes(doubling, 20) == std::vector<std::int64_t>{1, 4, 8, 16, 20});
  CHECK(default_graph_sizes({}, 8).empty());
}

TEST_CASE("graph_for: the largest rank decides for all, prompts run without", "[serving][oracle]") {
  constexpr std::array<std::int64_t, 4> kSizes{1, 2, 4, 8};
  std::vector<RankBatch> ranks(3);
  CHECK(graph_for(kSizes, ranks) == 0);
  ranks[0].decode_sequences = 1;
  ranks[1].decode_sequences = 3;
  CHECK(graph_for(kSizes, ranks) == 4);
  ranks[0].prefill_tokens = 5;
  CHECK(graph_for(kSizes, ranks) == 0);
  ranks[0].prefill_tokens = 0;
  ranks[1].decode_sequences = 9;
  CHECK(graph_for(kSizes, ranks) == 0);
}

TEST_CASE("pad_to: added sequences have one token of context, idle ranks run all of them",
          "[serving][oracle]") {
  std::vector<RankBatch> ranks(2);
  ranks[0].decode_sequences = 3;
  ranks[0].decode_queries = 2;
  ranks[0].decode_context[0] = 300;
  pad_to(4, ranks);
  CHECK(ranks[0].decode_sequences == 4);
  CHECK(ranks[0].decode_context[0] == 301);
  CHECK(ranks[1].decode_tokens() == 8);
  CHECK(ranks[1].decode_context[0] == 4);
}

TEST_CASE("graph padding: five sequences take the time of eight", "[serving][oracle]") {
  // A model with one short context each: attention apart, padding decides everything. Eight
  // sequences of 2 tokens in a graph of 8; five in it differ only by contexts (5 * 2 + 3 against
  // 16 keys) and rows of the head.
  const auto step = [](std::int64_t count, std::vector<std::int64_t> sizes) {
    auto d = test::toy_deployment(test::toy_dense_model(), {});
    d.scheduler.graph_sizes = std::move(sizes);
    std::vector<workload::Request> requests;
    for (std::int64_t i = 0; i < count; ++i)
      requests.push_back(test::request_at(Seconds{}, 1, 100));
    const auto r = test::run(d, requests);
    return r.time.parts[static_cast<std::size_t>(StepPart::FeedForward)] * r.end.seconds() /
           kSecond;
  };
  CHECK_THAT(step(5, {8}), test::WithinRel(step(8, {8}), 1e-2));
  CHECK(step(5, {}) <= step(5, {8}));
}

TEST_CASE("graph padding: beyond the largest graph the host launches layer by layer",
          "[serving][oracle]") {
  // Two layers of some 26 us each on an ideal GPU; launching takes the host 100 us a layer.
  auto d = test::toy_deployment(test::toy_dense_model(), {});
  d.scheduler.graph_sizes = {1};
  std::vector<workload::Request> requests(2, test::request_at(Seconds{}, 1, 101));
  const auto r = test::run(d, requests);
  CHECK_THAT(r.end.seconds() / kSecond, test::WithinRel(100 * 200e-6, 1e-2));
}

}  // namespace
}  // namespace moesim::serving
