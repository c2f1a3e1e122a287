// Time of consecutive MoE layers run as two micro-batches, from the times of their pieces.
//
// A layer of one micro-batch is a small chain: attention before its core, the rest of attention
// with the router, dispatch, experts, combine, gathering; shared experts stand beside an exchange.
// Engines cut the chain into stages and launch the stages of both micro-batches in turns:
//   three stages (prefill; vLLM always), the second micro-batch right behind the first:
//     [shared of the layer before, wait for its combine, attention, send dispatch]
//     [wait for dispatch, experts, send combine]
//   five stages (decode of DeepSeek and SGLang), the second two stages behind:
//     [attention until its core] [core, output, router] [send dispatch, shared]
//     [wait for dispatch, experts, send combine] [wait for combine]
// An exchange has work on the ranks at both ends (`send`, `receive`) and a flight between them on
// the communication stream; what the other micro-batch computes meanwhile hides it.
// Source:  DeepSeek, open-infra-index, day 6 (2025); SGLang's operation strategies; vLLM's two
//          threads of dual-batch overlap. See docs/models/overlap.md.
// Cost:    O(layers * ranks).
// Layer:   serving.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "core/units.h"
#include "serving/two_streams.h"

namespace moesim::serving {

struct ExchangeWork {
  Seconds send{};
  Seconds flight{};
  Seconds receive{};
};

/// One micro-batch in one MoE layer; spans over the attention ranks.
struct LayerWork {
  std::span<const Seconds> attention_in;
  std::span<const Seconds> attention_out;
  std::span<const Seconds> shared;
  std::span<const Seconds> experts;
  std::span<const Seconds> gather;
  ExchangeWork dispatch;
  ExchangeWork combine;
};

enum class Piece {
  AttentionIn,
  AttentionOut,
  Shared,
  Experts,
  Gather,
  DispatchSend,
  DispatchReceive,
  CombineSend,
  CombineReceive,
  Dispatch,  ///< Its flight.
  Combine
};

/// Sees every piece in launch order, before the clocks move.
class ScheduleObserver {
 public:
  virtual ~ScheduleObserver() = default;
  virtual void works(std::size_t half, std::size_t layer, Piece piece,
                     std::span<const Seconds> of_rank, const TwoStreams& streams) = 0;
  virtual void works(std::size_t half, std::size_t layer, Piece piece, Seconds of_each,
                     const TwoStreams& streams) = 0;
  virtual void flies(std::size_t half, std::size_t layer, Piece piece,
                     const StreamedExchange& exchange, const TwoStreams& streams) = 0;
  virtual void waits(std::size_t half, std::size_t layer, Piece piece,
                     const StreamedExchange& exchange, const TwoStreams& streams) = 0;
};

enum class StagesOfLayer { Three, Five };

struct TwoBatchTime {
  Seconds total{};
  /// Of the flights, the mean over ranks of what nothing hides.
  Seconds exposed_dispatch{};
  Seconds exposed_combine{};
  Seconds flights{};
};

/// `work(half, layer)` is asked several times for each; its spans must live through the call.
[[nodiscard]] TwoBatchTime run_two_batches(
    std::size_t ranks, std::size_t layers, StagesOfLayer stages,
    const std::function<LayerWork(std::size_t half, std::size_t layer)>& work, TwoStreams& streams,
    ScheduleObserver* observer = nullptr);

}  // namespace moesim::serving
