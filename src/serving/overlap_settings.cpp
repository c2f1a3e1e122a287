#include "serving/overlap_settings.h"

namespace moesim::serving {

OverlapSettings default_overlap(const catalog::EngineOverlap& engine) {
  return {.mode = OverlapMode::TwoBatch,
          .comm_sms = engine.comm_sms,
          .decode_token_threshold = engine.decode_token_threshold,
          .prefill_token_threshold = engine.prefill_token_threshold,
          .splits_attention = engine.splits_attention};
}

}  // namespace moesim::serving
