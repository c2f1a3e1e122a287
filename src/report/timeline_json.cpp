#include "report/timeline_json.h"

#include <algorithm>
#include <ostream>
#include <set>

#include <fmt/format.h>

#include "report/number_text.h"
#include "report/step_names.h"
#include "report/trace_events.h"

namespace moesim::report {
namespace {

using serving::IterationTimeline;
using serving::RankBatch;
using serving::StageTimeline;
using serving::StepPart;
using serving::TimelineSpan;

std::string microseconds_text(Seconds time) { return plain_number(time / kSecond * 1e6); }

std::size_t rank_number(std::int32_t rank, std::size_t first_rank) {
  return first_rank + static_cast<std::size_t>(rank);
}

/// What limits it most, and each limit's part where there are several.
std::string limit_args(const serving::LimitedTime& by) {
  std::size_t most = 0;
  std::string parts;
  int limits = 0;
  for (std::size_t l = 0; l < serving::kLimits; ++l) {
    if (by.by[l] <= Seconds{}) continue;
    if (by.by[l] > by.by[most]) most = l;
    if (limits++ > 0) parts += ',';
    parts += fmt::format(R"("{}":{})", kLimitNames[l], microseconds_text(by.by[l]));
  }
  if (limits == 0) return "";
  std::string args = fmt::format(R"(,"limit":"{}")", kLimitNames[most]);
  if (limits > 1) args += fmt::format(R"(,"limits_us":{{{}}})", parts);
  return args;
}

/// `first_rank`: of the stage, as the instance numbers its ranks.
std::string span_args(const TimelineSpan& span, const RankBatch& batch, std::size_t first_rank) {
  std::string args = fmt::format(R"("us":{})", microseconds_text(span.length));
  if (span.micro_batch >= 0) args += fmt::format(R"(,"micro_batch":{})", span.micro_batch);
  if (span.layer >= 0) args += fmt::format(R"(,"layer":{})", span.layer);
  switch (span.part) {
    case StepPart::Waiting:
      return args + fmt::format(R"(,"waits for rank":{})", rank_number(span.waits_for, first_rank));
    case StepPart::Overhead:
      return args;
    case StepPart::Migration:
      break;
    case StepPart::Swap:
      args += fmt::format(R"(,"blocks":{})", batch.swapped_blocks);
      break;
    case StepPart::Attention:
      args += fmt::format(R"(,"tokens":{},"decoding_sequences":{},"prompt_tokens":{})", span.tokens,
                          batch.decode_sequences, batch.prefill_tokens);
      break;
    case StepPart::Experts:
      args += fmt::format(R"(,"token_expert_pairs":{})", span.tokens);
      break;
    case StepPart::AllReduce:
      args += fmt::format(R"(,"tokens":{},"message_bytes":{})", span.tokens,
                          plain_number(span.sent / kByte));
      break;
    default:
      args += fmt::format(R"(,"tokens":{})", span.tokens);
  }
  return args + limit_args(span.by);
}

std::string span_name(const TimelineSpan& span, std::size_t first_rank) {
  if (span.part == StepPart::Waiting) {
    return fmt::format("waiting for rank {}", rank_number(span.waits_for, first_rank));
  }
  if (span.all_gather) return "all-gather";
  return std::string(kPartNames[static_cast<std::size_t>(span.part)]);
}

/// Processes of an instance: ranks and links of its stages.
std::int64_t ranks_process(const IterationTimeline& iteration, std::size_t stage) {
  const auto stages = std::ssize(iteration.stages);
  return 2 * (iteration.instance * stages + static_cast<std::int64_t>(stage)) + 1;
}

/// Exchanges beside computing have lines of their own.
bool has_network_lines(const StageTimeline& stage) {
  return std::any_of(stage.spans.begin(), stage.spans.end(),
                     [](const TimelineSpan& span) { return span.on_network; });
}

std::int64_t network_line(const StageTimeline& stage, std::size_t rank) {
  return static_cast<std::int64_t>(stage.ranks + rank) + 1;
}

void name_instance(TraceEvents& events, const IterationTimeline& iteration) {
  for (std::size_t s = 0; s < iteration.stages.size(); ++s) {
    const StageTimeline& stage = iteration.stages[s];
    const bool alone = iteration.stages.size() == 1;
    const std::string name = alone ? fmt::format("instance {}", iteration.instance)
                                   : fmt::format("instance {} stage {}", iteration.instance, s);
    const std::int64_t process = ranks_process(iteration, s);
    events.process_name(process, name);
    events.thread_name({process, 0}, "iterations");
    const std::size_t tp = stage.ranks / iteration.batches.size();
    for (std::size_t r = 0; r < stage.ranks; ++r) {
      const std::string of =
          tp > 1 && tp < stage.ranks ? fmt::format(" (dp {}, tp {})", r / tp, r % tp) : "";
      events.thread_name({process, static_cast<std::int64_t>(r) + 1},
                         fmt::format("rank {}{}", s * stage.ranks + r, of));
    }
    for (std::size_t r = 0; r < stage.ranks && has_network_lines(stage); ++r) {
      events.thread_name({process, network_line(stage, r)},
                         fmt::format("network of rank {}", s * stage.ranks + r));
    }
    const bool sends = s + 1 < iteration.stages.size();
    if (stage.ranks == 1 && !sends) continue;
    events.process_name(process + 1, "links of " + name);
    name_links(events, process + 1, stage, s * stage.ranks, sends);
  }
}

void write_ranks(TraceEvents& events, const IterationTimeline& iteration, std::size_t s) {
  const StageTimeline& stage = iteration.stages[s];
  const std::int64_t process = ranks_process(iteration, s);
  const TraceClock clock(stage.start);
  const auto line = [&](std::int32_t rank) { return TraceLine{process, rank + 1}; };
  std::int64_t sequences = 0;
  std::int64_t prompt_tokens = 0;
  for (const RankBatch& batch : iteration.batches) {
    sequences += batch.decode_sequences;
    prompt_tokens += batch.prefill_tokens;
  }
  events.slice(
      {process, 0}, fmt::format("iteration {}", iteration.number), clock.at(Seconds{}),
      clock.at(stage.length),
      fmt::format(R"("us":{},"decoding_sequences":{},"prompt_tokens":{},"lane":{})",
                  microseconds_text(stage.length), sequences, prompt_tokens, iteration.lane));
  const std::size_t tp = stage.ranks / iteration.batches.size();
  const std::size_t first_rank = s * stage.ranks;
  for (const TimelineSpan& span : stage.spans) {
    const std::int64_t begin = clock.at(span.start);
    const std::int64_t end = clock.at(span.start + span.length);
    const RankBatch& batch = iteration.batches[static_cast<std::size_t>(span.rank) / tp];
    const bool waits = span.part == StepPart::Waiting;
    const TraceLine to =
        span.on_network
            ? TraceLine{process, network_line(stage, static_cast<std::size_t>(span.rank))}
            : line(span.rank);
    events.slice(to, span_name(span, first_rank), begin, end, span_args(span, batch, first_rank),
                 waits ? "grey" : "");
    // An arrow needs a slice at both ends; the last nanosecond lies inside both.
    if (waits && end > begin) {
      events.arrow(line(span.waits_for), line(span.rank), "waits", end - 1);
    }
  }
}

}  // namespace

void write_timeline(std::ostream& out, const sweep::ScenarioResult& result) {
  const sweep::DeploymentFacts& f = result.facts;
  const auto member = [](std::string_view key, std::string_view value) {
    return fmt::format("{}:{}", json_string(key), json_string(value));
  };
  TraceEvents events(out, fmt::format("{},{},{},{},{},{}", member("program", "moesim"),
                                      member("scenario", result.name), member("model", f.model),
                                      member("gpu", f.gpu), member("layout", f.layout),
                                      member("engine", f.engine)));
  std::set<std::int64_t> named;
  for (const IterationTimeline& iteration : result.run.timeline) {
    if (named.insert(iteration.instance).second) name_instance(events, iteration);
    for (std::size_t s = 0; s < iteration.stages.size(); ++s) {
      write_ranks(events, iteration, s);
      write_links(events, ranks_process(iteration, s) + 1, iteration.stages[s]);
    }
  }
  events.close();
}

}  // namespace moesim::report
