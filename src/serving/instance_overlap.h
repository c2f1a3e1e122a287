// The pieces of one stage that runs as two micro-batches, and their drawing. Internal to
// InstanceCost.
// Layer: serving.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "serving/instance_cost.h"
#include "serving/two_batch_schedule.h"

namespace moesim::serving {

/// Arithmetic takes so many times as long; nothing else changes.
inline void slow_down(double factor, LimitedTime& time) { time[Limit::Compute] *= factor; }

/// The same of a time of which only the sum is known, limited as `like`.
[[nodiscard]] inline Seconds slowed(double factor, Seconds time, const LimitedTime& like) {
  const Seconds all = like.sum();
  return all > Seconds{} ? time * (1.0 + (factor - 1.0) * (like[Limit::Compute] / all)) : time;
}

/// Pieces of both micro-batches as flat arrays over the ranks.
struct InstanceCost::OverlappedStage {
  /// Of one micro-batch and what ends with one MoE layer.
  struct Pieces {
    std::vector<Seconds> attention_in;
    std::vector<Seconds> attention_out;
    std::vector<Seconds> shared;
    std::vector<Seconds> gather;
  };
  /// What ranks do at both ends of an exchange whose messages travel without them.
  struct Ends {
    Seconds send{};
    Seconds receive{};
  };

  OverlappedStage(InstanceCost& cost, const Stage& stage, bool five);
  [[nodiscard]] LayerWork work(std::size_t half, std::size_t layer) const;

 private:
  [[nodiscard]] Pieces pieces_of(const MicroBatch& half, std::span<const std::int32_t> layers,
                                 bool five) const;
  void set_ends(const MicroBatch& half, std::size_t m);

  InstanceCost& cost_;
  const Stage& stage_;
  std::array<std::vector<Pieces>, 2> pieces_;  ///< [half][stretch; then the first layer's own]
  std::array<Ends, 2> dispatch_ends_;
  std::array<Ends, 2> combine_ends_;
};

/// Draws what the schedule does; layers before and after it are drawn as ever.
class InstanceCost::OverlapDrawing final : public ScheduleObserver {
 public:
  OverlapDrawing(InstanceCost& cost, const Stage& stage, StageDrawing& drawing,
                 StageTimeline& drawn);
  void works(std::size_t half, std::size_t layer, Piece piece, std::span<const Seconds> of_rank,
             const TwoStreams& streams) override;
  void works(std::size_t half, std::size_t layer, Piece piece, Seconds of_each,
             const TwoStreams& streams) override;
  void flies(std::size_t half, std::size_t layer, Piece piece, const StreamedExchange& exchange,
             const TwoStreams& streams) override;
  void waits(std::size_t half, std::size_t layer, Piece piece, const StreamedExchange& exchange,
             const TwoStreams& streams) override;

 private:
  void work(std::size_t half, std::size_t layer, Piece piece, std::size_t gpu, Seconds length,
            Seconds clock);
  void work_experts(std::size_t half, std::size_t layer, std::size_t gpu, Seconds length,
                    Seconds clock);
  void place(std::size_t half, std::size_t layer, std::size_t gpu, Seconds at, Seconds length,
             TimelineSpan span);
  [[nodiscard]] const ExpertLayerTime& times(std::size_t half, std::size_t layer) const;
  [[nodiscard]] std::size_t moe_layer(std::size_t layer) const {
    return static_cast<std::size_t>(stage_.moe_layers[layer]);
  }

  InstanceCost& cost_;
  const Stage& stage_;
  StageDrawing& drawing_;
  StageTimeline& drawn_;
  Seconds begin_;
  std::size_t tp_;
  std::array<std::size_t, 2> slowest_gpu_{};
  std::array<std::size_t, 2> traffic_{};
  std::vector<std::int32_t> layer_numbers_;  ///< In the model, of the stage's MoE layers.
};

}  // namespace moesim::serving
