#include <algorithm>
#include <numeric>
#include <vector>

#include <fmt/format.h>

#include "report/number_text.h"
#include "report/step_names.h"
#include "report/trace_events.h"

namespace moesim::report {
namespace {

using serving::LinkTraffic;
using serving::StageTimeline;
using serving::StepPart;
using serving::TimelineExchange;
using serving::TimelineSpan;

// Threads of a process of links: ports by rank, NICs of the group, collectives between nodes.
constexpr std::int64_t kPorts = 1;
constexpr std::int64_t kNics = 100'000;
constexpr std::int64_t kCollectives = 200'000;
constexpr std::int64_t kToNextStage = 300'000;

/// The links of one kind during one exchange.
struct LinksInUse {
  std::int64_t first_thread;
  std::string_view counter;
  const std::vector<std::int32_t>* out;
  const std::vector<std::int32_t>* in;
  std::vector<double> seconds_per_byte;
};

std::vector<LinksInUse> links_in_use(const LinkTraffic& t, bool backwards) {
  std::vector<LinksInUse> kinds;
  kinds.push_back({kPorts, "scale-up ports, % of peak", &t.scale_up_out, &t.scale_up_in,
                   std::vector<double>(t.scale_up_out.size(), t.scale_up_seconds_per_byte)});
  if (!t.nic_out.empty()) {
    kinds.push_back({kNics, "NICs, % of peak", &t.nic_out, &t.nic_in, t.nic_seconds_per_byte});
  }
  if (backwards) {
    for (LinksInUse& kind : kinds) std::swap(kind.out, kind.in);
  }
  return kinds;
}

bool between_nodes(const TimelineSpan& span) {
  return span.by[serving::Limit::ScaleOut] > Seconds{};
}

/// A link is drawn busy for as long as it would take at its peak rate, from the exchange's start.
void write_exchange(TraceEvents& events, std::int64_t process, const TraceClock& clock,
                    const TimelineExchange& exchange, const LinkTraffic& traffic) {
  const bool combine = exchange.part == StepPart::Combine;
  const double copy = (combine ? traffic.combine_copy : traffic.dispatch_copy) / kByte;
  const std::string_view name = kPartNames[static_cast<std::size_t>(exchange.part)];
  const std::int64_t begin = clock.at(exchange.start);
  const std::int64_t end = clock.at(exchange.start + exchange.length);
  for (const LinksInUse& kind : links_in_use(traffic, combine)) {
    double busiest = 0.0;
    double sum = 0.0;
    for (std::size_t l = 0; l < kind.out->size(); ++l) {
      const double out = (*kind.out)[l] * copy;
      const double in = (*kind.in)[l] * copy;
      const Seconds busy = std::max(out, in) * kind.seconds_per_byte[l] * kSecond;
      const double use = std::min(1.0, busy / exchange.length);
      busiest = std::max(busiest, use);
      sum += use;
      if (busy <= Seconds{}) continue;
      const std::string args = fmt::format(
          R"("layer":{},"bytes_out":{},"bytes_in":{},"use_percent":{},"exchange_us":{})",
          exchange.layer, plain_number(out), plain_number(in), plain_number(100.0 * use),
          plain_number(exchange.length / kSecond * 1e6));
      events.slice({process, kind.first_thread + static_cast<std::int64_t>(l)}, name, begin,
                   std::min(end, clock.at(exchange.start + busy)), args);
    }
    const double mean = sum / static_cast<double>(kind.out->size());
    events.counter({process, 0}, kind.counter, begin,
                   fmt::format(R"("busiest":{},"mean":{})", plain_number(100.0 * busiest),
                               plain_number(100.0 * mean)));
    events.counter({process, 0}, kind.counter, end, R"("busiest":0,"mean":0)");
  }
}

}  // namespace

void name_links(TraceEvents& events, std::int64_t process, const StageTimeline& stage,
                std::size_t first_rank, bool sends) {
  const auto name = [&](std::int64_t first, std::size_t count, std::string_view what,
                        std::size_t number) {
    for (std::size_t l = 0; l < count; ++l) {
      events.thread_name({process, first + static_cast<std::int64_t>(l)},
                         fmt::format("{} {}", what, number + l));
    }
  };
  const auto reduces = [&](bool nodes) {
    return std::any_of(stage.spans.begin(), stage.spans.end(), [&](const TimelineSpan& s) {
      return s.part == StepPart::AllReduce && between_nodes(s) == nodes;
    });
  };
  const std::size_t nics = stage.traffic.empty() ? 0 : stage.traffic.front().nic_out.size();
  if (!stage.traffic.empty() || reduces(false)) {
    name(kPorts, stage.ranks, "scale-up port of rank", first_rank);
  }
  name(kNics, nics, "NIC", 0);
  if (reduces(true)) {
    name(kCollectives, stage.ranks, "all-reduce between nodes, rank", first_rank);
  }
  if (sends) events.thread_name({process, kToNextStage}, "to the next stage");
}

void write_links(TraceEvents& events, std::int64_t process, const StageTimeline& stage) {
  const TraceClock clock(stage.start);
  for (const TimelineExchange& exchange : stage.exchanges) {
    write_exchange(events, process, clock, exchange, stage.traffic[exchange.traffic]);
  }
  for (const TimelineSpan& span : stage.spans) {
    if (span.part != StepPart::AllReduce || span.link_use <= 0.0) continue;
    const std::int64_t first = between_nodes(span) ? kCollectives : kPorts;
    events.slice({process, first + span.rank}, span.all_gather ? "all-gather" : "all-reduce",
                 clock.at(span.start), clock.at(span.start + span.link_use * span.length),
                 fmt::format(R"("layer":{},"message_bytes":{},"use_percent":{},"exchange_us":{})",
                             span.layer, plain_number(span.sent / kByte),
                             plain_number(100.0 * span.link_use),
                             plain_number(span.length / kSecond * 1e6)));
  }
  if (stage.send > Seconds{}) {
    events.slice({process, kToNextStage}, "activations", clock.at(stage.length),
                 clock.at(stage.length + stage.send),
                 fmt::format(R"("us":{})", plain_number(stage.send / kSecond * 1e6)));
  }
}

}  // namespace moesim::report
