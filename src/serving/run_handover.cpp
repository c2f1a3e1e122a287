// Prompts on their way from the pool that computes them to the pool that decodes.
#include "serving/run.h"

namespace moesim::serving {

void Run::start_streaming(std::size_t number, std::size_t lane, SimTime end) {
  const Unit& unit = units_[number];
  if (unit.pool->deployment().role != PoolRole::Prefill) return;
  // When the first layer is computed.
  const auto layers = unit.pool->deployment().model.layers();
  const SimTime now = simulator_.now();
  const SimTime first = now + SimTime::from_picoseconds((end - now).picoseconds() / layers);
  if (first >= end) return;
  simulator_.schedule_at(first, des::Priority::Handover,
                         {.kind = kStream, .a = static_cast<std::uint32_t>(number), .b = lane});
}

void Run::stream(std::size_t number, std::size_t lane, bool ended) {
  const Unit& unit = units_[number];
  if (unit.pool->deployment().role != PoolRole::Prefill) return;
  for (const RankScheduler& rank : unit.instance().ranks()) handover_->stream(rank, lane, ended);
}

/// After an iteration: prompts that are complete ask for room, and room may have become free.
void Run::hand_over() {
  for (const SequenceIndex index : recorder_.take_prefilled()) {
    handover_->prefilled(index, simulator_.now());
  }
  place_waiting();
}

void Run::place_waiting() {
  for (;;) {
    const SequenceIndex index = handover_->place(simulator_.now());
    if (index == kNoSequence) return;
    if (handover_->is_layerwise()) enqueue(index);
  }
}

void Run::receive(const des::Event& event) {
  const SimTime now = simulator_.now();
  Pool& prefill = *pools_.front();
  Pool& decode = *pools_.back();
  for (const SequenceIndex index : handover_->handle(event, now)) {
    const Target source = handover_->source(index);
    const Target target = handover_->target(index);
    prefill.instances()[source.instance].ranks()[source.rank].release(index);
    let_go(number(prefill, source.instance));
    wake(number(prefill, source.instance));
    Sequence& s = sequences_[index];
    s.first_token = now;
    s.last_token = now;
    recorder_.at(now);
    recorder_.first_token(s, now);
    decode.instances()[target.instance].ranks()[target.rank].receive(index);
    wake(number(decode, target.instance));
  }
}

}  // namespace moesim::serving
