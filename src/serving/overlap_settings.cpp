#include "serving/overlap_settings.h"

#include "core/text.h"

namespace moesim::serving {

OverlapSettings default_overlap(std::string_view engine) {
  OverlapSettings settings{.mode = OverlapMode::TwoBatch};
  const std::string name = to_lower(engine);
  if (name == "deepseek") settings.comm_sms = 24;  // 108 of 132 compute: profile-data, 2025.
  if (name == "vllm") {
    // Defaults of --dbo-decode-token-threshold and --dbo-prefill-token-threshold; its two threads
    // hand over at dispatch and at combine alone.
    settings.decode_token_threshold = 32;
    settings.prefill_token_threshold = 512;
    settings.splits_attention = false;
  }
  return settings;
}

OverlapSupport overlap_support(std::string_view engine) {
  const std::string name = to_lower(engine);
  if (name == "vllm" || name == "sglang" || name == "deepseek") return OverlapSupport::Yes;
  if (name == "tensorrt-llm" || name == "llama.cpp" || name == "ollama" || name == "tgi") {
    return OverlapSupport::No;
  }
  return OverlapSupport::Unknown;
}

}  // namespace moesim::serving
