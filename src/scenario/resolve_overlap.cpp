// Two-batch overlap of a deployment: the engine's defaults, ranges, and where it makes no sense.
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "scenario/quantity_field.h"
#include "scenario/resolver.h"
#include "serving/overlap_settings.h"
#include "serving/token_exchange.h"

namespace moesim::scenario {
namespace {

constexpr std::int64_t kMostTokens = 1'048'576;
constexpr std::int64_t kMostSms = 4096;

}  // namespace

void Resolver::resolve_overlap(proto::Deployment& deployment) {
  serving::OverlapSettings& settings = scenario_.deployment.overlap;
  settings.mode = serving::OverlapMode::None;
  if (!deployment.has_overlap()) return;
  proto::Overlap& overlap = *deployment.mutable_overlap();
  if (!overlap.has_mode()) overlap.set_mode(proto::Overlap::TWO_BATCH);
  if (overlap.mode() == proto::Overlap::NONE) return;
  settings = serving::default_overlap(scenario_.deployment.engine.overlap);
  const std::string path = "deployment.overlap.";
  if (!overlap.has_comm_sms()) overlap.set_comm_sms(settings.comm_sms);
  settings.comm_sms = checked_count(findings_, path + "comm_sms", overlap.comm_sms(), 0, kMostSms);
  if (!overlap.has_low_latency_comm_sms()) {
    overlap.set_low_latency_comm_sms(settings.low_latency_comm_sms);
  }
  settings.low_latency_comm_sms = checked_count(findings_, path + "low_latency_comm_sms",
                                                overlap.low_latency_comm_sms(), 0, kMostSms);
  if (!overlap.has_decode_token_threshold()) {
    overlap.set_decode_token_threshold(settings.decode_token_threshold);
  }
  settings.decode_token_threshold = checked_count(findings_, path + "decode_token_threshold",
                                                  overlap.decode_token_threshold(), 2, kMostTokens);
  if (!overlap.has_prefill_token_threshold()) {
    overlap.set_prefill_token_threshold(settings.prefill_token_threshold);
  }
  settings.prefill_token_threshold =
      checked_count(findings_, path + "prefill_token_threshold", overlap.prefill_token_threshold(),
                    2, kMostTokens);
  if (!overlap.has_split_attention()) overlap.set_split_attention(settings.splits_attention);
  settings.splits_attention = overlap.split_attention();
  check_overlap();
}

void Resolver::check_overlap() {
  const serving::Deployment& d = scenario_.deployment;
  const char* const path = "deployment.overlap";
  switch (d.engine.overlap.support) {
    case catalog::Support::Yes:
    case catalog::Support::Partial:
      break;
    case catalog::Support::No:
      error(path, fmt::format("{} has no two-batch overlap", d.engine.name),
            "leave it out or choose vLLM, SGLang or DeepSeek as engine");
      break;
    case catalog::Support::Unknown:
      note(fmt::format("two-batch overlap was not verified for {}", d.engine.name));
      break;
  }
  if (has_layout_ && (d.layout.dp == 1 || !d.model.is_moe())) {
    error(path,
          d.model.is_moe() ? "dp 1 exchanges no tokens: there is nothing to overlap"
                           : "a dense model exchanges no tokens: there is nothing to overlap",
          d.model.is_moe() ? "set dp above 1 with ep = tp * dp, or leave overlap out"
                           : "leave overlap out");
  }
  if (!has_gpu_) return;
  const catalog::Gpu& gpu = d.cluster.gpu;
  for (const auto& [name, taken] :
       {std::pair{".comm_sms", d.overlap.comm_sms},
        std::pair{".low_latency_comm_sms", d.overlap.low_latency_comm_sms}}) {
    if (taken == 0 || taken < gpu.sms) continue;
    error(std::string(path) + name,
          gpu.sms == 0
              ? fmt::format("the multiprocessors of {} are not known, got {}", gpu.name, taken)
              : fmt::format("{} has {} multiprocessors, got {}", gpu.name, gpu.sms, taken),
          gpu.sms == 0 ? "write 0, or give the GPU its sms" : "leave some to compute");
  }
}

void Resolver::resolve_all2all(proto::Deployment& deployment) {
  serving::Deployment& d = scenario_.deployment;
  d.all2all = catalog::All2AllBackend::Auto;
  if (!deployment.has_all2all_backend()) deployment.set_all2all_backend(proto::Deployment::AUTO);
  switch (deployment.all2all_backend()) {
    case proto::Deployment::DEEPEP_HIGH_THROUGHPUT:
      d.all2all = catalog::All2AllBackend::DeepEpNormal;
      break;
    case proto::Deployment::ALLGATHER_REDUCESCATTER:
      d.all2all = catalog::All2AllBackend::AllGather;
      break;
    case proto::Deployment::DEEPEP_LOW_LATENCY:
      d.all2all = catalog::All2AllBackend::DeepEpLowLatency;
      break;
    case proto::Deployment::ALLGATHER_ALLREDUCE:
      d.all2all = catalog::All2AllBackend::AllReduce;
      break;
    case proto::Deployment::FLASHINFER_ALL2ALLV:
      d.all2all = catalog::All2AllBackend::NvLink;
      break;
    default:
      return;
  }
  const char* const path = "deployment.all2all_backend";
  const std::string name = proto::Deployment::All2AllBackend_Name(deployment.all2all_backend());
  const auto& has = d.engine.all2all;
  if (std::find(has.begin(), has.end(), d.all2all) == has.end()) {
    error(path, fmt::format("{} has no {}", d.engine.name, name),
          "leave it out, or choose an engine that has it: moesim catalog list engines");
  } else if (has_layout_ && (d.layout.dp == 1 || !d.model.is_moe())) {
    error(path,
          d.model.is_moe() ? "dp 1 exchanges no tokens: experts end in the all-reduce of tp"
                           : "a dense model exchanges no tokens",
          "leave it out");
  } else if (!catalog::gathers(d.all2all) && has_gpu_ &&
             d.cluster.gpu.scale_up != catalog::ScaleUpKind::NvSwitch) {
    error(path,
          fmt::format("{} has no NVLink switch, which {} kernels need", d.cluster.gpu.name,
                      d.all2all == catalog::All2AllBackend::NvLink ? "FlashInfer's" : "DeepEP's"),
          "leave it out, or use ALLGATHER_REDUCESCATTER");
  } else if (has_layout_ && d.all2all == catalog::All2AllBackend::DeepEpLowLatency &&
             !d.engine.low_latency_in_passes) {
    const std::int64_t most = serving::kMostLowLatencyTokens * d.layout.tp;
    if (d.scheduler.max_num_batched_tokens <= most) return;
    error(
        path,
        fmt::format("DeepEP's low-latency buffers hold {} tokens of a GPU, {} of a rank of tp {}, "
                    "max_num_batched_tokens is {}",
                    serving::kMostLowLatencyTokens, most, d.layout.tp,
                    d.scheduler.max_num_batched_tokens),
        fmt::format("set it to at most {}, or use AUTO, which takes them for decoding alone",
                    most));
  }
}

}  // namespace moesim::scenario
