#include "serving/timeline.h"

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/toy_deployment.h"

namespace moesim::serving {
namespace {

using namespace moesim::literals;
using moesim::test::request_at;
using moesim::test::run;
using moesim::test::toy_deployment;
using moesim::test::WithinAbs;
using moesim::test::WithinRel;

struct Case {
  const char* name;
  catalog::Model model;
  plan::Layout layout;
  bool overlaps = false;
  bool drafts = false;  ///< One token by the model's own module.
};

/// A dense layer before and after the MoE layers.
catalog::Model mixed_model() {
  catalog::Model m = test::toy_moe_model();
  m.kinds.push_back(test::toy_dense_model().kinds[0]);
  m.runs = {{.kind = 1, .count = 1}, {.kind = 0, .count = 2}, {.kind = 1, .count = 1}};
  return m;
}

/// One GPU; experts over the ranks of a tensor group; whole experts and halves; exchanges inside a
/// node and between nodes, with and without tensor parallelism; pipelines.
std::vector<Case> cases() {
  const catalog::Model dense = test::toy_dense_model();
  const catalog::Model moe = test::toy_moe_model();
  return {{"dense, one GPU", dense, {}},
          {"dense, tensor parallel", dense, {.tp = 2}},
          {"dense, pipeline", dense, {.pp = 2}},
          {"experts of a tensor group", moe, {.tp = 2, .ep = 2}},
          {"split experts of a tensor group", moe, {.tp = 4, .ep = 2}},
          {"exchange in a node", moe, {.dp = 4, .ep = 4}},
          {"exchange between nodes", moe, {.dp = 8, .ep = 8}},
          {"exchange of tensor groups", moe, {.tp = 2, .dp = 4, .ep = 8}},
          {"exchange in stages", moe, {.pp = 2, .dp = 4, .ep = 4}},
          {"experts split over ranks", moe, {.tp = 2, .dp = 4, .ep = 4}},
          {"two micro-batches", moe, {.dp = 4, .ep = 4}, true},
          {"two micro-batches between nodes", moe, {.dp = 8, .ep = 8}, true},
          {"two micro-batches of tensor groups", moe, {.tp = 2, .dp = 4, .ep = 8}, true},
          {"two micro-batches in stages", moe, {.pp = 2, .dp = 4, .ep = 4}, true},
          {"two micro-batches between dense layers", mixed_model(), {.dp = 4, .ep = 4}, true},
          {"drafts", dense, {.tp = 2}, false, true},
          {"drafts of experts", moe, {.dp = 4, .ep = 4}, false, true},
          {"drafts and two micro-batches", moe, {.dp = 4, .ep = 4}, true, true}};
}

/// Prompts of many lengths, so that ranks differ.
std::vector<workload::Request> uneven_requests() {
  std::vector<workload::Request> requests;
  for (std::int32_t i = 0; i < 24; ++i) {
    requests.push_back(
        request_at(static_cast<double>(i / 3) * 40_us, 5 + 37 * (i * i % 11), 4 + i % 5));
  }
  return requests;
}

constexpr TimelineSettings kAll{.iterations = 100'000, .from_iteration = 1};

/// Several GPUs split experts: tokens go to all.
bool gathers(const plan::Layout& layout) {
  return layout.dp > 1 && layout.ep < layout.tp * layout.dp;
}

RunResult drawn_run(const Case& c, const TimelineSettings& settings = kAll) {
  auto deployment = toy_deployment(c.model, c.layout);
  deployment.engine.iteration_overhead = 3_us;
  if (c.overlaps) {
    deployment.cluster.gpu.sms = 10;
    deployment.overlap = {.mode = OverlapMode::TwoBatch, .comm_sms = 2};
  }
  if (gathers(c.layout)) deployment.all2all = catalog::All2AllBackend::AllGather;
  if (c.drafts) deployment.scheduler.speculation = {DraftMethod::Mtp, {0.5}};
  return run(deployment, uneven_requests(), {.timeline = settings});
}

template <class Visit>
void for_each_stage(const RunResult& result, Visit visit) {
  for (const IterationTimeline& iteration : result.timeline) {
    for (const StageTimeline& stage : iteration.stages) visit(stage);
  }
}

std::map<std::int32_t, std::vector<TimelineSpan>> by_rank(const StageTimeline& stage) {
  std::map<std::int32_t, std::vector<TimelineSpan>> lines;
  for (const TimelineSpan& span : stage.spans) {
    if (!span.on_network) lines[span.rank].push_back(span);
  }
  return lines;
}

TEST_CASE("timeline: the spans of a rank join up and sum to the time of its stage",
          "[serving][property]") {
  for (const Case& c : cases()) {
    INFO(c.name);
    const RunResult result = drawn_run(c);
    REQUIRE(std::ssize(result.timeline) == result.time.iterations);
    for_each_stage(result, [&](const StageTimeline& stage) {
      const auto lines = by_rank(stage);
      REQUIRE(std::ssize(lines) == c.layout.tp * c.layout.dp);
      for (const auto& [rank, spans] : lines) {
        Seconds end;
        for (const TimelineSpan& span : spans) {
          REQUIRE(span.length > Seconds{});
          REQUIRE_THAT(span.start / 1.0_us, WithinRel(end / 1.0_us, 1e-9) || WithinAbs(0, 1e-12));
          end = span.start + span.length;
        }
        REQUIRE_THAT(end / 1.0_us, WithinRel(stage.length / 1.0_us, 1e-9));
      }
    });
  }
}

TEST_CASE("timeline: its parts are those of the time breakdown", "[serving][oracle]") {
  for (const Case& c : cases()) {
    INFO(c.name);
    const RunResult result = drawn_run(c);
    std::array<Seconds, kStepParts> parts{};
    const double ranks = static_cast<double>(c.layout.tp * c.layout.dp * c.layout.pp);
    for_each_stage(result, [&](const StageTimeline& stage) {
      for (const TimelineSpan& span : stage.spans) {
        if (!span.on_network) parts[static_cast<std::size_t>(span.part)] += span.length / ranks;
      }
    });
    for (std::size_t p = 0; p < kStepParts; ++p) {
      INFO("part " << p);
      const double share = parts[p] / result.end.seconds();
      CHECK_THAT(share, WithinAbs(result.time.parts[p], 1e-9));
    }
  }
}

TEST_CASE("timeline: who waits names a rank that works until the wait is over",
          "[serving][property]") {
  for (const Case& c : cases()) {
    INFO(c.name);
    std::int64_t waits = 0;
    for_each_stage(drawn_run(c), [&](const StageTimeline& stage) {
      const auto lines = by_rank(stage);
      for (const TimelineSpan& span : stage.spans) {
        REQUIRE((span.waits_for >= 0) == (span.part == StepPart::Waiting));
        if (span.part != StepPart::Waiting) continue;
        ++waits;
        REQUIRE(span.waits_for != span.rank);
        const Seconds end = span.start + span.length;
        const auto& line = lines.at(span.waits_for);
        CHECK(std::any_of(line.begin(), line.end(), [&](const TimelineSpan& work) {
          return work.part != StepPart::Waiting && work.start < end &&
                 std::abs((work.start + work.length - end) / 1.0_us) < 1e-6;
        }));
      }
    });
    CHECK((waits > 0) == (c.layout.dp > 1 || c.layout.ep > 1));
  }
}

TEST_CASE("timeline: every pick of every token is computed once, and what leaves arrives",
          "[serving][property]") {
  for (const Case& c : cases()) {
    if (!c.model.is_moe() || c.drafts) continue;
    INFO(c.name);
    const std::int64_t expert_tp = c.layout.expert_tp();
    for (const IterationTimeline& iteration : drawn_run(c).timeline) {
      std::int64_t tokens = 0;
      for (const RankBatch& batch : iteration.batches) tokens += batch.tokens();
      for (const StageTimeline& stage : iteration.stages) {
        std::map<std::int32_t, std::int64_t> pairs;
        for (const TimelineSpan& span : stage.spans) {
          if (span.part == StepPart::Experts) pairs[span.layer] += span.tokens;
        }
        for (const auto& [layer, sum] : pairs) REQUIRE(sum == tokens * 2 * expert_tp);
        REQUIRE(std::ssize(stage.exchanges) == 2 * std::ssize(stage.traffic));
        REQUIRE(stage.traffic.empty() == (c.layout.dp == 1));
        for (const LinkTraffic& t : stage.traffic) {
          const auto sum = [](const std::vector<std::int32_t>& v) {
            return std::accumulate(v.begin(), v.end(), 0);
          };
          REQUIRE(sum(t.scale_up_in) == sum(t.scale_up_out));
          REQUIRE(sum(t.nic_in) == sum(t.nic_out));
          REQUIRE(t.nic_in.empty() == (c.layout.tp * c.layout.dp <= 4));
        }
        for (const TimelineExchange& e : stage.exchanges) {
          const LinkTraffic& t = stage.traffic[e.traffic];
          const Bytes copy = e.part == StepPart::Dispatch ? t.dispatch_copy : t.combine_copy;
          for (std::size_t n = 0; n < t.nic_out.size(); ++n) {
            const double most = std::max(t.nic_out[n], t.nic_in[n]);
            // A gather is timed as if all ranks brought as many tokens.
            if (gathers(c.layout)) continue;
            REQUIRE(most * (copy / kByte) * t.nic_seconds_per_byte[n] <= e.length / kSecond);
          }
        }
      }
    }
  }
}

TEST_CASE("timeline: an even group waits only for its experts", "[serving][oracle]") {
  // Four requests of the same length at once: one a rank, so attention and head cost the same.
  const auto deployment = toy_deployment(test::toy_moe_model(), {.dp = 4, .ep = 4});
  std::vector<workload::Request> requests(4, request_at(0_s, 64, 2));
  const RunResult result = run(deployment, requests, {.timeline = {.iterations = 1}});
  REQUIRE(result.timeline.size() == 1);
  const StageTimeline& stage = result.timeline[0].stages.at(0);
  for (const auto& [rank, spans] : by_rank(stage)) {
    // Two layers of attention, feed-forward, dispatch, experts, combine; then the head.
    std::vector<StepPart> work;
    for (std::size_t i = 0; i < spans.size(); ++i) {
      if (spans[i].part != StepPart::Waiting) {
        work.push_back(spans[i].part);
      } else {
        REQUIRE(i > 0);
        // A rank that has no token for its experts waits right after the dispatch.
        CHECK((spans[i - 1].part == StepPart::Experts || spans[i - 1].part == StepPart::Dispatch));
      }
    }
    std::erase(work, StepPart::Experts);
    CHECK(work == std::vector<StepPart>{StepPart::Attention, StepPart::FeedForward,
                                        StepPart::Dispatch, StepPart::Combine, StepPart::Attention,
                                        StepPart::FeedForward, StepPart::Dispatch,
                                        StepPart::Combine, StepPart::Head});
  }
}

TEST_CASE("timeline: starts where it is told to, else with the first decoding after the warm-up",
          "[serving]") {
  const Case c = cases()[5];
  const RunResult all = drawn_run(c);
  CHECK(drawn_run(c, {}).timeline.empty());
  CHECK(drawn_run(c, {}).fingerprint == all.fingerprint);
  const auto decodes = [](const IterationTimeline& i) {
    return std::any_of(i.batches.begin(), i.batches.end(),
                       [](const RankBatch& b) { return b.decode_sequences > 0; });
  };
  const auto first =
      std::find_if(all.timeline.begin(), all.timeline.end(), decodes) - all.timeline.begin();
  REQUIRE(first > 0);
  CHECK(drawn_run(c, {.iterations = 1}).timeline.at(0).number == first + 1);

  const RunResult third = drawn_run(c, {.iterations = 2, .from_iteration = 3});
  REQUIRE(third.timeline.size() == 2);
  CHECK(third.timeline[0].number == 3);
  CHECK(third.timeline[1].number == 4);
  CHECK(third.timeline[1].stages[0].start == all.timeline[3].stages[0].start);

  const SimTime start = all.timeline[4].stages[0].start;
  CHECK(drawn_run(c, {.iterations = 1, .from = start}).timeline.at(0).number == 5);
  CHECK(drawn_run(c, {.iterations = 1, .from = SimTime::from(1000_s)}).timeline.empty());
}

}  // namespace
}  // namespace moesim::serving
