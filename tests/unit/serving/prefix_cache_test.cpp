#include "serving/prefix_cache.h"

#include <fmt/format.h>
#include <rapidcheck.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <list>
#include <sstream>
#include <string>

#include "tests/support/catch.h"
#include "workload/trace_reader.h"

namespace moesim::serving {
namespace {

using Ids = std::vector<PrefixCache::BlockId>;

TEST_CASE("PrefixCache: a prompt loses its tail first, the least recent prompt before",
          "[serving][oracle]") {
  PrefixCache cache;
  cache.use(Ids{1, 2, 3});
  cache.use(Ids{1, 4, 5});
  // By last use: 2 and 3 of the first prompt, then 5, 4, 1. Within each the tail is the oldest.
  CHECK(cache.size() == 5);
  CHECK(cache.leading_run(Ids{1, 2, 3, 6}) == 3);
  cache.trim(4);
  CHECK(cache.leading_run(Ids{1, 2, 3}) == 2);
  cache.trim(2);
  CHECK(cache.leading_run(Ids{1, 4, 5}) == 2);
  CHECK(cache.leading_run(Ids{2}) == 0);
}

TEST_CASE("PrefixCache: what a sequence reads is not dropped", "[serving][oracle]") {
  PrefixCache cache;
  cache.use(Ids{1, 2});
  cache.hold(1);
  cache.hold(1);
  CHECK(cache.idle() == 1);
  cache.trim(0);
  CHECK(cache.size() == 1);
  cache.release(1);
  cache.trim(0);
  CHECK(cache.find(1) != nullptr);
  cache.release(1);
  cache.add_held(7, 3, SimTime{});
  CHECK(cache.size() == 4);
  CHECK(cache.drop_oldest() == 1);
  CHECK(cache.drop_oldest() == 0);
  CHECK(cache.size() == 3);
}

TEST_CASE("PrefixCache: equals a plain list of blocks by last use", "[serving][property]") {
  CHECK(rc::check([] {
    PrefixCache cache;
    std::list<PrefixCache::BlockId> plain;  // Oldest first.
    const auto capacity = *rc::gen::inRange<std::int64_t>(1, 150);
    for (int i = 0; i < 300; ++i) {
      Ids ids;
      // Prompts of a tree: each id names its parent, so that equal ids have equal heads.
      PrefixCache::BlockId id = 1;
      const int depth = *rc::gen::inRange(1, 12);
      for (int k = 0; k < depth; ++k)
        ids.push_back(id = 3 * id + *rc::gen::inRange<unsigned>(0, 2));
      const auto here = [&](PrefixCache::BlockId each) {
        return std::find(plain.begin(), plain.end(), each);
      };
      std::size_t run = 0;
      while (run < ids.size() && here(ids[run]) != plain.end()) ++run;
      RC_ASSERT(cache.leading_run(ids) == run);
      cache.use(ids);
      cache.trim(capacity);
      for (std::size_t n = ids.size(); n > 0; --n) {
        if (const auto at = here(ids[n - 1]); at != plain.end()) plain.erase(at);
        plain.push_back(ids[n - 1]);
      }
      while (static_cast<std::int64_t>(plain.size()) > capacity) plain.pop_front();
      RC_ASSERT(cache.count() == static_cast<std::int64_t>(plain.size()));
      for (const PrefixCache::BlockId each : plain) RC_ASSERT(cache.find(each) != nullptr);
    }
  }));
}

/// The number behind `key` in the part of oracles.json about a trace.
double oracle(const std::string& text, const std::string& trace, const std::string& key) {
  const std::size_t part = text.find("\"" + trace + "\"");
  REQUIRE(part != std::string::npos);
  const std::size_t at = text.find("\"" + key + "\":", part);
  REQUIRE(at != std::string::npos);
  return std::stod(text.substr(at + key.size() + 3));
}

/// Share of the input tokens of a trace that a cache of so many blocks serves.
double hit_ratio(const workload::Trace& trace, std::int64_t capacity) {
  PrefixCache cache;
  double hits = 0;
  double tokens = 0;
  for (const workload::Request& r : trace.requests) {
    const std::span<const std::uint64_t> ids(trace.hash_ids.data() + r.prefix.offset,
                                             r.prefix.count);
    const auto run = static_cast<std::int64_t>(cache.leading_run(ids));
    hits +=
        static_cast<double>(std::min<std::int64_t>(run * trace.hash_block_tokens, r.input_tokens));
    tokens += r.input_tokens;
    cache.use(ids);
    cache.trim(capacity);
  }
  return hits / tokens;
}

TEST_CASE("PrefixCache: hit ratios of a recorded conversation trace", "[serving][oracle]") {
  const std::filesystem::path folder = std::filesystem::path(MOESIM_SHARED_DIR) / "traces";
  const std::string name = "mooncake/conversation_first40min.jsonl";
  std::ifstream file(folder / "oracles.json");
  if (!file) {
    WARN("skipped: " << folder << " is not there");
    return;
  }
  std::ostringstream text;
  text << file.rdbuf();
  workload::ReadOptions options;
  const workload::Trace trace = workload::read_trace_file(
      (folder / name).string(), workload::TraceFormat::MooncakeJsonl, options);
  REQUIRE(trace.hash_block_tokens == 512);
  for (const std::int64_t capacity : {1000, 3000, 10000, 30000}) {
    const double expected = oracle(text.str(), name, std::to_string(capacity));
    CHECK_THAT(hit_ratio(trace, capacity), test::WithinAbs(expected, 5e-7));
  }
  const double all = oracle(text.str(), name, "token_hit_ratio_infinite_cold");
  CHECK_THAT(hit_ratio(trace, std::int64_t{1} << 40), test::WithinAbs(all, 5e-7));
}

}  // namespace
}  // namespace moesim::serving
