// The list of all studies; a new operation adds its line here.
#include "calibration/study.h"

#include "calibration/decode_attention_study.h"
#include "calibration/prefill_attention_study.h"

namespace moesim::calibration {

std::vector<std::unique_ptr<Study>> all_studies() {
  std::vector<std::unique_ptr<Study>> all;
  all.push_back(std::make_unique<PrefillAttentionStudy>());
  all.push_back(std::make_unique<DecodeAttentionStudy>());
  return all;
}

}  // namespace moesim::calibration
