#include "serving/decode_set.h"

#include <rapidcheck.h>

#include <algorithm>
#include <vector>

#include "tests/support/catch.h"

namespace moesim::serving {
namespace {

/// The same set, one member at a time: the oracle.
struct PlainMember {
  SequenceIndex index;
  std::int64_t context;
  std::int32_t remaining;
  std::int32_t all;  ///< That it was to emit when it joined.
};

TEST_CASE("TimingWheel: items come out exactly when due, removed ones never",
          "[serving][property]") {
  CHECK(rc::check([] {
    TimingWheel wheel;
    std::vector<std::int64_t> due(50, -1);
    for (std::int64_t step = 0; step < 3000; ++step) {
      const auto item = *rc::gen::inRange<std::int32_t>(0, 50);
      std::int64_t& d = due[static_cast<std::size_t>(item)];
      if (d < 0) {
        d = step + *rc::gen::inRange<std::int64_t>(1, 2500);
        wheel.add(item, d);
      } else if (step % 7 == 0) {
        wheel.remove(item);
        d = -1;
      }
      std::vector<std::int32_t> out;
      wheel.take_due(step, [&](std::int32_t i) { out.push_back(i); });
      std::sort(out.begin(), out.end());
      std::vector<std::int32_t> expected;
      for (std::size_t i = 0; i < due.size(); ++i) {
        if (due[i] == step) {
          expected.push_back(static_cast<std::int32_t>(i));
          due[i] = -1;
        }
      }
      RC_ASSERT(out == expected);
    }
  }));
}

void check_against(const DecodeSet& set, const std::vector<PlainMember>& members,
                   const std::vector<ContextLaw>& laws, std::int64_t block, std::int64_t window,
                   std::int64_t tokens) {
  RankBatch batch;
  set.fill(batch);
  std::int64_t blocks_needed = 0;
  for (std::size_t k = 0; k < laws.size(); ++k) {
    std::int64_t sum = 0;
    for (const PlainMember& m : members) sum += std::min(m.context + 1 + window, laws[k].cap);
    RC_ASSERT(batch.decode_context[k] == sum);
  }
  const auto blocks = [&](std::int64_t held) { return (held + block - 1) / block; };
  for (const PlainMember& m : members) {
    blocks_needed += blocks(m.context + window + tokens) - blocks(m.context + window);
  }
  RC_ASSERT(set.blocks_needed(tokens) == blocks_needed);
  RC_ASSERT(static_cast<std::size_t>(set.size()) == members.size());
  RC_ASSERT(batch.decode_queries == 1 + window);
  RC_ASSERT(static_cast<std::size_t>(batch.tokens()) ==
            members.size() * static_cast<std::size_t>(1 + window));
}

TEST_CASE("DecodeSet: contexts, blocks and ends equal those of a member-by-member walk",
          "[serving][property]") {
  CHECK(rc::check([] {
    const std::vector<ContextLaw> laws = {{}, {.cap = 20, .window = 20}, {.cap = 0}};
    const auto block = *rc::gen::element<std::int64_t>(1, 3, 8);
    const auto window = *rc::gen::inRange<std::int32_t>(0, 4);
    DecodeSet set(block, laws, window);
    SequencePool pool;
    std::vector<PlainMember> members;
    for (int step = 0; step < 200; ++step) {
      if (*rc::gen::inRange(0, 3) == 0) {
        const SequenceIndex index = pool.take();
        const auto context = *rc::gen::inRange<std::int64_t>(1, 40);
        const auto remaining = *rc::gen::inRange<std::int32_t>(1, 30);
        set.join(index, pool[index], context, remaining);
        members.push_back({index, context, remaining, remaining});
      }
      if (!members.empty() && *rc::gen::inRange(0, 10) == 0) {
        const PlainMember gone = members.back();
        members.pop_back();
        RC_ASSERT(set.blocks_of(pool[gone.index]) == (gone.context + window + block - 1) / block);
        RC_ASSERT(set.leave(gone.index, pool[gone.index]) == gone.all - gone.remaining);
        pool.give_back(gone.index);
      }
      const auto tokens = *rc::gen::inRange<std::int64_t>(1, 2 + window);
      check_against(set, members, laws, block, window, tokens);
      set.advance(tokens);
      for (PlainMember& m : members) {
        m.context += tokens;
        m.remaining -= static_cast<std::int32_t>(tokens);
      }
      std::vector<SequenceIndex> ended;
      std::int64_t beyond = 0;
      set.take_finished(pool, [&](SequenceIndex i, std::int64_t over) {
        ended.push_back(i);
        beyond += over;
      });
      for (const SequenceIndex i : ended) pool.give_back(i);
      std::int64_t beyond_expected = 0;
      const auto done = std::erase_if(members, [&](const PlainMember& m) {
        if (m.remaining <= 0) beyond_expected -= m.remaining;
        return m.remaining <= 0;
      });
      RC_ASSERT(ended.size() == done);
      RC_ASSERT(beyond == beyond_expected);
    }
  }));
}

}  // namespace
}  // namespace moesim::serving
