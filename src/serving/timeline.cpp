#include "serving/timeline.h"

#include <algorithm>
#include <utility>

namespace moesim::serving {

void StageDrawing::add(std::size_t rank, TimelineSpan span) {
  if (span.length == Seconds{}) {
    for (Seconds& limited : span.by.by) limited *= stretch_;
    span.length = span.by.sum();
  }
  if (span.length <= Seconds{}) return;
  span.rank = static_cast<std::int32_t>(rank);
  span.start = clock_[rank];
  clock_[rank] += span.length;
  stage_->spans.push_back(span);
}

void StageDrawing::place(std::size_t rank, Seconds start, TimelineSpan span) {
  if (span.length <= Seconds{}) return;
  span.rank = static_cast<std::int32_t>(rank);
  span.start = start;
  if (!span.on_network) clock_[rank] = start + span.length;
  stage_->spans.push_back(span);
}

void StageDrawing::meet(std::int32_t layer, std::size_t sharing) {
  // Differences below the clock's resolution are rounding, not waiting.
  constexpr Seconds kShortest = 0.001_ns;
  const auto last = std::max_element(clock_.begin(), clock_.end());
  const Seconds end = *last;
  const std::size_t slowest = static_cast<std::size_t>(last - clock_.begin()) / sharing * sharing;
  for (std::size_t r = 0; r < clock_.size(); ++r) {
    if (end - clock_[r] >= kShortest) {
      add(r, {.layer = layer,
              .part = StepPart::Waiting,
              .length = end - clock_[r],
              .waits_for = static_cast<std::int32_t>(slowest + r % sharing)});
    }
    clock_[r] = end;
  }
}

void StageDrawing::exchange(StepPart part, std::int32_t layer, const LimitedTime& time,
                            std::span<const std::int32_t> tokens) {
  stage_->exchanges.push_back({.part = part,
                               .layer = layer,
                               .start = clock_.front(),
                               .length = stretch_ * time.sum(),
                               .traffic = stage_->traffic.size() - 1});
  for (std::size_t r = 0; r < clock_.size(); ++r) {
    add(r, {.layer = layer, .part = part, .by = time, .tokens = tokens[r]});
  }
}

IterationTimeline* TimelineRecorder::choose(SimTime now, std::int64_t number, std::size_t lane,
                                            std::span<const RankBatch> batches) {
  if (std::ssize(drawn_) == settings_.iterations) return nullptr;
  if (drawn_.empty()) {
    if (now < from_ || number < settings_.from_iteration) return nullptr;
    const bool anywhere = settings_.from || settings_.from_iteration > 0;
    const bool decodes = std::any_of(batches.begin(), batches.end(),
                                     [](const RankBatch& b) { return b.decode_sequences > 0; });
    if (!anywhere && !decodes) return nullptr;
  }
  return &drawn_.emplace_back(IterationTimeline{.instance = instance_,
                                                .number = number,
                                                .lane = static_cast<std::int64_t>(lane),
                                                .batches = {batches.begin(), batches.end()},
                                                .stages = {}});
}

}  // namespace moesim::serving
