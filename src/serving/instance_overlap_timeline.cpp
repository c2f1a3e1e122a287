// Timelines of iterations that run as two micro-batches: the schedule as it was priced.
#include <algorithm>
#include <utility>

#include "serving/instance_overlap.h"

namespace moesim::serving {
namespace {

StepPart part_of(Piece piece) {
  switch (piece) {
    case Piece::AttentionIn:
    case Piece::AttentionOut:
      return StepPart::Attention;
    case Piece::Shared:
      return StepPart::FeedForward;
    case Piece::Experts:
      return StepPart::Experts;
    case Piece::Gather:
      return StepPart::AllReduce;
    case Piece::DispatchSend:
    case Piece::DispatchReceive:
    case Piece::Dispatch:
      return StepPart::Dispatch;
    case Piece::CombineSend:
    case Piece::CombineReceive:
    case Piece::Combine:
      break;
  }
  return StepPart::Combine;
}

/// As `whole` is limited, but so long.
LimitedTime scaled(const LimitedTime& whole, Seconds length) {
  LimitedTime part;
  if (whole.sum() > Seconds{}) part.add(length / whole.sum(), whole);
  return part;
}

}  // namespace

InstanceCost::OverlapDrawing::OverlapDrawing(InstanceCost& cost, const Stage& stage,
                                             StageDrawing& drawing, StageTimeline& drawn)
    : cost_(cost),
      stage_(stage),
      drawing_(drawing),
      drawn_(drawn),
      begin_(drawing.clock(0)),
      tp_(static_cast<std::size_t>(cost.deployment_->layout.tp)) {
  const catalog::Model& model = cost.deployment_->model;
  for (std::int64_t layer = 0; layer < model.layers(); ++layer) {
    if (model.layer(layer).feed_forward.is_moe()) {
      layer_numbers_.push_back(static_cast<std::int32_t>(layer));
    }
  }
}

const ExpertLayerTime& InstanceCost::OverlapDrawing::times(std::size_t half,
                                                           std::size_t layer) const {
  return cost_.halves_[half].layers[moe_layer(layer)];
}

void InstanceCost::OverlapDrawing::place(std::size_t half, std::size_t layer, std::size_t gpu,
                                         Seconds at, Seconds length, TimelineSpan span) {
  if (length <= Seconds{}) return;
  span.layer = layer_numbers_[moe_layer(layer)];
  span.micro_batch = static_cast<std::int8_t>(half);
  span.length = length;
  if (span.part != StepPart::Experts) {
    span.tokens = cost_.halves_[half].batches[gpu / tp_].tokens();
  }
  drawing_.place(gpu, begin_ + at, span);
}

void InstanceCost::OverlapDrawing::work(std::size_t half, std::size_t layer, Piece piece,
                                        std::size_t gpu, Seconds length, Seconds clock) {
  const MicroBatch& own = cost_.halves_[half];
  const std::size_t kinds = cost_.model_->kinds.size();
  const KindTime& kind = own.kind_times[gpu / tp_ * kinds + stage_.kind_of_moe_layer[layer]];
  TimelineSpan span{.part = part_of(piece)};
  switch (piece) {
    case Piece::AttentionOut: {
      // The attention that is left, its all-reduce, then the router.
      const Seconds reduce = kind.all_reduce.sum() - kind.gathering;
      const Seconds router = std::min(length - reduce, kind.feed_forward.sum() - kind.shared);
      const Seconds core = length - reduce - router;
      span.by = scaled(kind.attention, core);
      place(half, layer, gpu, clock, core, span);
      place(half, layer, gpu, clock + core, reduce,
            {.part = StepPart::AllReduce, .by = scaled(kind.all_reduce, reduce)});
      place(half, layer, gpu, clock + core + reduce, router,
            {.part = StepPart::FeedForward, .by = scaled(kind.feed_forward, router)});
      return;
    }
    case Piece::Shared:
      span.by = scaled(kind.feed_forward, length);
      break;
    case Piece::Gather:
      span.all_gather = true;
      span.by = scaled(kind.all_reduce, length);
      break;
    case Piece::Experts:
      work_experts(half, layer, gpu, length, clock);
      return;
    case Piece::AttentionIn:
      span.by = scaled(kind.attention, length);
      break;
    default:
      span.by[Limit::Memory] = length;
  }
  place(half, layer, gpu, clock, length, span);
}

/// The GPUs of an attention rank go on together: each waits for the slowest of them.
void InstanceCost::OverlapDrawing::work_experts(std::size_t half, std::size_t layer,
                                                std::size_t gpu, Seconds length, Seconds clock) {
  const MicroBatch& own = cost_.halves_[half];
  const ExpertLayerRecord& record = own.records[moe_layer(layer)];
  std::size_t slowest = gpu / tp_ * tp_;
  for (std::size_t g = slowest; g < (gpu / tp_ + 1) * tp_; ++g) {
    if (record.experts[g].time > record.experts[slowest].time) slowest = g;
  }
  const Seconds longest = record.experts[slowest].time;
  const Seconds mine = longest > Seconds{} ? length * (record.experts[gpu].time / longest) : length;
  place(half, layer, gpu, clock, mine,
        {.part = StepPart::Experts,
         .by = scaled(times(half, layer).mean, mine),
         .tokens = record.pairs[gpu]});
  place(half, layer, gpu, clock + mine, length - mine,
        {.part = StepPart::Waiting, .waits_for = static_cast<std::int32_t>(slowest)});
}

void InstanceCost::OverlapDrawing::works(std::size_t half, std::size_t layer, Piece piece,
                                         std::span<const Seconds> of_rank,
                                         const TwoStreams& streams) {
  for (std::size_t g = 0; g < drawing_.ranks(); ++g) {
    work(half, layer, piece, g, of_rank[g / tp_], streams.clock(g / tp_));
  }
}

void InstanceCost::OverlapDrawing::works(std::size_t half, std::size_t layer, Piece piece,
                                         Seconds of_each, const TwoStreams& streams) {
  for (std::size_t g = 0; g < drawing_.ranks(); ++g) {
    work(half, layer, piece, g, of_each, streams.clock(g / tp_));
  }
}

void InstanceCost::OverlapDrawing::flies(std::size_t half, std::size_t layer, Piece piece,
                                         const StreamedExchange& exchange,
                                         const TwoStreams& streams) {
  std::size_t slowest = 0;
  for (std::size_t r = 1; r < streams.ranks(); ++r) {
    if (streams.clock(r) > streams.clock(slowest)) slowest = r;
  }
  ExpertLayerRecord& record = cost_.halves_[half].records[moe_layer(layer)];
  // Of its GPUs, the one whose experts took longest; before a dispatch they come together.
  slowest_gpu_[half] = slowest * tp_;
  for (std::size_t g = slowest * tp_; piece == Piece::Combine && g < (slowest + 1) * tp_; ++g) {
    if (record.experts[g].time > record.experts[slowest_gpu_[half]].time) slowest_gpu_[half] = g;
  }
  if (piece == Piece::Dispatch && record.traffic) {
    traffic_[half] = drawn_.traffic.size();
    drawn_.traffic.push_back(std::move(*record.traffic));
  }
  const Seconds length = exchange.end - exchange.start;
  if (length <= Seconds{}) return;
  drawn_.exchanges.push_back({.part = part_of(piece),
                              .layer = layer_numbers_[moe_layer(layer)],
                              .start = begin_ + exchange.start,
                              .length = length,
                              .traffic = traffic_[half]});
  const ExpertLayerTime& t = times(half, layer);
  for (std::size_t g = 0; g < drawing_.ranks(); ++g) {
    place(half, layer, g, exchange.start, length,
          {.part = part_of(piece),
           .by = scaled(piece == Piece::Dispatch ? t.dispatch : t.combine, length),
           .on_network = true});
  }
}

void InstanceCost::OverlapDrawing::waits(std::size_t half, std::size_t layer, Piece piece,
                                         const StreamedExchange& exchange,
                                         const TwoStreams& streams) {
  const ExpertLayerTime& t = times(half, layer);
  for (std::size_t g = 0; g < drawing_.ranks(); ++g) {
    const Seconds now = streams.clock(g / tp_);
    place(half, layer, g, now, exchange.ready - now,
          {.part = StepPart::Waiting, .waits_for = static_cast<std::int32_t>(slowest_gpu_[half])});
    const Seconds from = std::max(now, exchange.ready);
    const Seconds exposed = exchange.end - from;
    place(half, layer, g, from, exposed,
          {.part = part_of(piece),
           .by = scaled(piece == Piece::Dispatch ? t.dispatch : t.combine, exposed)});
  }
}

}  // namespace moesim::serving
