// The list of all studies; a new operation adds its line here.
#include "calibration/study.h"

#include "calibration/decode_attention_study.h"
#include "calibration/prefill_attention_study.h"
#include "calibration/mla_block_study.h"
#include "calibration/mla_study.h"

namespace moesim::calibration {

std::vector<std::unique_ptr<Study>> all_studies() {
  std::vector<std::unique_ptr<Study>> all;
  all.push_back(std::make_unique<PrefillAttentionStudy>());
  all.push_back(std::make_unique<DecodeAttentionStudy>());
  all.push_back(std::make_unique<MlaPrefillStudy>());
  all.push_back(std::make_unique<MlaDecodeStudy>());
  all.push_back(std::make_unique<MlaBlockStudy>());
  return all;
}

}  // namespace moesim::calibration
