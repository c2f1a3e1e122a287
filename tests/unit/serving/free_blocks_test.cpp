#include "serving/free_blocks.h"

#include <rapidcheck.h>

#include <algorithm>
#include <deque>

#include "serving/kv_pool.h"
#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::request_at;
using moesim::test::toy_deployment;

TEST_CASE("free_blocks: those free longest go first, a request's last ones first",
          "[serving][oracle]") {
  FreeBlocks free(10);
  free.take(8);
  free.leave(7, 5);
  free.give(4);
  CHECK(free.count() == 11);
  free.take(3);  // 2 of nobody's, 1 of request 7's
  CHECK(free.left_by(7) == 4);
  free.leave(8, 2);
  free.take_back(7);
  CHECK(free.left_by(7) == 0);
  CHECK(free.count() == 6);
  free.take(5);  // 4 of nobody's, 1 of request 8's
  CHECK(free.left_by(8) == 1);
  free.take(1);
  CHECK(free.left_by(8) == 0);
  CHECK(free.count() == 0);
}

TEST_CASE("free_blocks: counts are those of a plain list of blocks", "[serving][property]") {
  CHECK(rc::check([] {
    FreeBlocks free(20);
    std::deque<int> plain(20, -1);  // owner of each block, free longest first
    for (int step = 0; step < 200; ++step) {
      const auto blocks = *rc::gen::inRange<std::int64_t>(0, 9);
      const auto request = *rc::gen::inRange(0, 4);
      const auto mine = std::count(plain.begin(), plain.end(), request);
      RC_ASSERT(free.left_by(request) == mine);
      switch (*rc::gen::inRange(0, 4)) {
        case 0:
          free.give(blocks);
          plain.insert(plain.end(), static_cast<std::size_t>(blocks), -1);
          break;
        case 1:
          if (mine > 0) break;
          free.leave(request, blocks);
          plain.insert(plain.end(), static_cast<std::size_t>(blocks), request);
          break;
        case 2:
          if (blocks > free.count()) break;
          free.take(blocks);
          plain.erase(plain.begin(), plain.begin() + blocks);
          break;
        default:
          free.take_back(request);
          std::erase(plain, request);
      }
      RC_ASSERT(free.count() == static_cast<std::int64_t>(plain.size()));
    }
  }));
}

TEST_CASE("free_blocks: a preempted sequence computes what others have taken",
          "[serving][oracle]") {
  // Blocks of 16; two requests of 64 tokens that answer 64, ten blocks: they meet at 80 tokens each
  // (5 + 5), when the second is preempted after 16 of its tokens. The first goes on to 127 cached
  // tokens and takes 3 of the second's 5 blocks, its last ones: 32 of its 80 tokens are left.
  const auto computed_with = [](catalog::PreemptedBlocks kept) {
    serving::Deployment d = toy_deployment(test::toy_dense_model(), {});
    d.scheduler.block_size = 16;
    d.scheduler.preempted_blocks = kept;
    const RunResult result =
        test::run(d, {request_at(0_s, 64, 64), request_at(0_s, 64, 64)}, {.blocks = 10});
    CHECK(result.kv.preemptions == 1);
    return result.end;
  };
  const SimTime nothing = computed_with(catalog::PreemptedBlocks::None);
  const SimTime prompt = computed_with(catalog::PreemptedBlocks::Prompt);
  const SimTime all = computed_with(catalog::PreemptedBlocks::All);
  CHECK(all < nothing);
  CHECK(prompt < nothing);
  CHECK(all <= prompt);
}

TEST_CASE("free_blocks: what a preempted sequence finds again, by hand", "[serving][oracle]") {
  KvPool pool(10, 16);
  pool.keep_preempted(catalog::PreemptedBlocks::All);
  Sequence s;
  s.request = 3;
  s.input_tokens = 64;
  pool.take(10);
  pool.preempt({}, s, 5, 80);
  s.preemptions = 1;
  s.prefill_target = 81;
  CHECK(pool.match({}, s).tokens == 80);
  CHECK(pool.match({}, s).idle == 5);
  pool.take(3);
  const KvPool::Match left = pool.match({}, s);
  CHECK(left.tokens == 32);
  (void)pool.begin({}, left, s, {});
  CHECK(s.prefilled == 32);
  CHECK(s.blocks == 2);
  CHECK(pool.available() == 0);
  // Of the prompt alone: 64 of 80 tokens.
  KvPool prompts(10, 16);
  prompts.keep_preempted(catalog::PreemptedBlocks::Prompt);
  prompts.take(10);
  Sequence again;
  again.request = 3;
  again.input_tokens = 64;
  prompts.preempt({}, again, 5, 80);
  again.preemptions = 1;
  again.prefill_target = 81;
  CHECK(prompts.match({}, again).tokens == 64);
  CHECK(prompts.available() == 5);
}

}  // namespace
}  // namespace moesim::serving
