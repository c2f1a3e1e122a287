// Two micro-batches of one iteration, each computing while the other communicates: the settings.
//
// Source: DeepSeek's overview of its inference system (open-infra-index, day 6, 2025); the flags
// --enable-two-batch-overlap of SGLang and --enable-dbo of vLLM. See docs/models/overlap.md.
// Layer: serving.
#pragma once

#include <cstdint>

#include "catalog/engine.h"

namespace moesim::serving {

enum class OverlapMode { None, TwoBatch };

struct OverlapSettings {
  OverlapMode mode = OverlapMode::None;
  /// Multiprocessors that normal dispatch and combine kernels keep from computing.
  std::int64_t comm_sms = 20;
  /// The same of low-latency kernels. 0: they wait for messages without any, by receive hooks.
  std::int64_t low_latency_comm_sms = 0;
  /// Tokens of a rank below which an iteration is not split: decoding alone, and with prompts.
  std::int64_t decode_token_threshold = 2;
  std::int64_t prefill_token_threshold = 2;
  /// Decoding alone runs in five stages a layer, attention in two of them; else in three.
  bool splits_attention = true;
};

/// What an engine does when its flag is set and nothing else.
[[nodiscard]] OverlapSettings default_overlap(const catalog::EngineOverlap& engine);

}  // namespace moesim::serving
