#include "serving/two_batch_schedule.h"

#include <array>

namespace moesim::serving {
namespace {

class Schedule {
 public:
  Schedule(const std::function<LayerWork(std::size_t, std::size_t)>& work, TwoStreams& streams,
           ScheduleObserver* observer)
      : work_(work), streams_(streams), observer_(observer) {}

  void attention_in(std::size_t half, std::size_t layer) {
    compute(half, layer, Piece::AttentionIn, work_(half, layer).attention_in);
  }
  void attention_out(std::size_t half, std::size_t layer) {
    compute(half, layer, Piece::AttentionOut, work_(half, layer).attention_out);
  }
  void shared(std::size_t half, std::size_t layer) {
    compute(half, layer, Piece::Shared, work_(half, layer).shared);
  }
  void send_dispatch(std::size_t half, std::size_t layer) {
    const ExchangeWork dispatch = work_(half, layer).dispatch;
    compute(half, layer, Piece::DispatchSend, dispatch.send);
    flying_[half] = fly(half, layer, Piece::Dispatch, dispatch.flight);
  }
  void experts(std::size_t half, std::size_t layer) {
    const LayerWork work = work_(half, layer);
    wait(half, layer, Piece::Dispatch, time.exposed_dispatch);
    compute(half, layer, Piece::DispatchReceive, work.dispatch.receive);
    compute(half, layer, Piece::Experts, work.experts);
    compute(half, layer, Piece::CombineSend, work.combine.send);
    flying_[half] = fly(half, layer, Piece::Combine, work.combine.flight);
  }
  void finish(std::size_t half, std::size_t layer) {
    const LayerWork work = work_(half, layer);
    wait(half, layer, Piece::Combine, time.exposed_combine);
    compute(half, layer, Piece::CombineReceive, work.combine.receive);
    compute(half, layer, Piece::Gather, work.gather);
  }

  TwoBatchTime time;

 private:
  template <class Length>
  void compute(std::size_t half, std::size_t layer, Piece piece, const Length& length) {
    if (observer_ != nullptr) observer_->works(half, layer, piece, length, streams_);
    streams_.work(length);
  }
  StreamedExchange fly(std::size_t half, std::size_t layer, Piece piece, Seconds length) {
    time.flights += length;
    const StreamedExchange exchange = streams_.exchange(length);
    if (observer_ != nullptr) observer_->flies(half, layer, piece, exchange, streams_);
    return exchange;
  }
  void wait(std::size_t half, std::size_t layer, Piece piece, Seconds& exposed) {
    if (observer_ != nullptr) observer_->waits(half, layer, piece, flying_[half], streams_);
    exposed += streams_.wait(flying_[half]);
  }

  const std::function<LayerWork(std::size_t, std::size_t)>& work_;
  TwoStreams& streams_;
  ScheduleObserver* observer_;
  std::array<StreamedExchange, 2> flying_{};
};

void run_three_stages(std::size_t layers, Schedule& schedule) {
  const auto leave = [&](std::size_t half, std::size_t layer) {
    schedule.shared(half, layer);
    schedule.finish(half, layer);
  };
  for (std::size_t layer = 0; layer < layers; ++layer) {
    for (const std::size_t half : {0U, 1U}) {
      if (layer > 0) leave(half, layer - 1);
      schedule.attention_in(half, layer);
      schedule.attention_out(half, layer);
      schedule.send_dispatch(half, layer);
    }
    for (const std::size_t half : {0U, 1U}) schedule.experts(half, layer);
  }
  for (const std::size_t half : {0U, 1U}) leave(half, layers - 1);
}

void run_stage_of_five(std::size_t half, std::size_t stage, Schedule& schedule) {
  const std::size_t layer = stage / 5;
  switch (stage % 5) {
    case 0:
      schedule.attention_in(half, layer);
      break;
    case 1:
      schedule.attention_out(half, layer);
      break;
    case 2:
      schedule.send_dispatch(half, layer);
      schedule.shared(half, layer);
      break;
    case 3:
      schedule.experts(half, layer);
      break;
    default:
      schedule.finish(half, layer);
  }
}

void run_five_stages(std::size_t layers, Schedule& schedule) {
  constexpr std::size_t kBehind = 2;
  const std::size_t stages = 5 * layers;
  for (std::size_t at = 0; at < stages + kBehind; ++at) {
    if (at < stages) run_stage_of_five(0, at, schedule);
    if (at >= kBehind) run_stage_of_five(1, at - kBehind, schedule);
  }
}

}  // namespace

TwoBatchTime run_two_batches(
    std::size_t ranks, std::size_t layers, StagesOfLayer stages,
    const std::function<LayerWork(std::size_t half, std::size_t layer)>& work, TwoStreams& streams,
    ScheduleObserver* observer) {
  streams.reset(ranks);
  if (layers == 0) return {};
  Schedule schedule(work, streams, observer);
  if (stages == StagesOfLayer::Three) {
    run_three_stages(layers, schedule);
  } else {
    run_five_stages(layers, schedule);
  }
  schedule.time.total = streams.end();
  return schedule.time;
}

}  // namespace moesim::serving
