// The list of all studies; a new operation adds its line here.
#include "calibration/study.h"

#include "calibration/batched_gemm_study.h"
#include "calibration/decode_attention_study.h"
#include "calibration/deepep_experts_study.h"
#include "calibration/deepep_study.h"
#include "calibration/engine_all_reduce_study.h"
#include "calibration/expert_rank_study.h"
#include "calibration/gemm_study.h"
#include "calibration/mla_block_study.h"
#include "calibration/mla_study.h"
#include "calibration/moe_study.h"
#include "calibration/nccl_study.h"
#include "calibration/nvlink_all_to_all_study.h"
#include "calibration/power_study.h"
#include "calibration/prefill_attention_study.h"

namespace moesim::calibration {

std::vector<std::unique_ptr<Study>> all_studies() {
  std::vector<std::unique_ptr<Study>> all;
  all.push_back(std::make_unique<GemmStudy>());
  all.push_back(std::make_unique<BatchedGemmStudy>());
  all.push_back(std::make_unique<MoeStudy>());
  all.push_back(std::make_unique<ExpertRankStudy>());
  all.push_back(std::make_unique<DeepEpExpertsStudy>());
  all.push_back(std::make_unique<PrefillAttentionStudy>());
  all.push_back(std::make_unique<DecodeAttentionStudy>());
  all.push_back(std::make_unique<MlaPrefillStudy>());
  all.push_back(std::make_unique<MlaDecodeStudy>());
  all.push_back(std::make_unique<MlaBlockStudy>());
  all.push_back(std::make_unique<NcclStudy>());
  all.push_back(std::make_unique<EngineAllReduceStudy>());
  all.push_back(std::make_unique<DeepEpLowLatencyStudy>());
  all.push_back(std::make_unique<DeepEpNormalStudy>());
  all.push_back(std::make_unique<NvlinkAllToAllStudy>());
  all.push_back(std::make_unique<PowerStudy>());
  return all;
}

}  // namespace moesim::calibration
