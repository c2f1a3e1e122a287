#include "serving/handover.h"

#include <algorithm>
#include <optional>

#include "serving/rank_load.h"

namespace moesim::serving {

Handover::Handover(const Fleet& fleet, const topology::Topology& topology, Pool& decode,
                   SequencePool& sequences, des::Simulator& simulator, std::uint32_t first_kind)
    : fleet_(fleet),
      decode_(decode),
      sequences_(sequences),
      transfers_(fleet, topology, simulator, first_kind),
      last_layer_(1.0 / static_cast<double>(decode.deployment().model.layers())),
      waiting_(decode.deployment().scheduler.policy, sequences) {}

void Handover::set_source(SequenceIndex sequence, Target source) {
  if (hops_.size() <= at(sequence)) hops_.resize(at(sequence) + 1);
  hops_[at(sequence)].source = source;
}

void Handover::ask(SequenceIndex sequence, SimTime now) {
  if (hops_.size() <= at(sequence)) hops_.resize(at(sequence) + 1);
  Hop& hop = hops_[at(sequence)];
  hop.asked = now;
  waiting_.arrive(sequence);
}

SequenceIndex Handover::place(SimTime now) {
  const SequenceIndex sequence = waiting_.head();
  if (sequence == kNoSequence) return kNoSequence;
  const Sequence& moving = sequences_[sequence];
  const auto ranks = static_cast<std::size_t>(decode_.deployment().layout.dp);
  const std::size_t count = decode_.instances().size() * ranks;
  const RouterPolicy policy = decode_.deployment().router;
  std::optional<RankLoad> least;
  std::size_t best = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t candidate = (next_ + i) % count;
    if (!decode_.takes(candidate / ranks)) continue;
    const RankScheduler& rank = decode_.instances()[candidate / ranks].ranks()[candidate % ranks];
    const RankLoad load = load_of(policy, rank);
    if ((least && load >= *least) || !rank.can_reserve(moving)) continue;
    least = load;
    best = candidate;
    if (policy == RouterPolicy::RoundRobin || load == RankLoad{}) break;
  }
  if (!least) return kNoSequence;
  waiting_.pop();
  next_ = (best + 1) % count;
  Hop& hop = hops_[at(sequence)];
  hop.target = {.instance = best / ranks, .rank = best % ranks};
  decode_.instances()[hop.target.instance].ranks()[hop.target.rank].reserve(moving);
  hop.waited = now - hop.asked;
  sums_.wait += hop.waited.seconds();
  if (hop.computed) {
    hop.computed_at = now;
    send(sequence, 1.0);
  }
  return sequence;
}

void Handover::send(SequenceIndex sequence, double up_to) {
  Hop& hop = hops_[at(sequence)];
  if (up_to <= hop.sent) return;
  transfers_.send(sequence, sequences_[sequence].input_tokens, hop.source, hop.target,
                  up_to - hop.sent);
  hop.sent = up_to;
  ++hop.under_way;
}

void Handover::stream(const RankScheduler& rank, std::size_t lane, bool ended) {
  for (const RankScheduler::Chunk& chunk : rank.chunks(lane)) {
    const Sequence& s = sequences_[chunk.index];
    if (s.output_tokens == 1) continue;  // ends where it is
    const bool whole = ended && s.prefilled + chunk.tokens == s.prefill_target;
    const double all_layers = static_cast<double>(chunk.tokens) / s.prefill_target;
    const double before = static_cast<double>(s.prefilled) / s.prefill_target;
    send(chunk.index, whole ? 1.0 : before + all_layers * (ended ? 1.0 : 1.0 - last_layer_));
  }
}

void Handover::prefilled(SequenceIndex sequence, SimTime now) {
  Hop& hop = hops_[at(sequence)];
  hop.computed = true;
  hop.computed_at = now;
  const SimTime waited = is_layerwise() ? hop.waited : SimTime{};
  sums_.prefill += (now - sequences_[sequence].arrival - waited).seconds();
  if (!is_layerwise()) ask(sequence, now);
}

std::span<const SequenceIndex> Handover::handle(const des::Event& event, SimTime now) {
  complete_.clear();
  for (const SequenceIndex sequence : transfers_.handle(event)) {
    Hop& hop = hops_[at(sequence)];
    if (--hop.under_way > 0 || !hop.computed) continue;
    complete_.push_back(sequence);
    ++sums_.requests;
    sums_.transfer += (now - hop.computed_at).seconds();
    hop.sent = 0;
    hop.computed = false;
  }
  return complete_;
}

HandoverSummary Handover::summary() const {
  HandoverSummary sums = sums_;
  sums.bytes = transfers_.sent();
  return sums;
}

}  // namespace moesim::serving
