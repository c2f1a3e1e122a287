#include <cmath>

#include "memory.pb.h"
#include "report/memory_report.h"
#include "report/message_json.h"

namespace moesim::report {
namespace {

double whole_bytes(Bytes bytes) { return std::round(bytes.base()); }

void write(const plan::Layout& layout, proto::MemoryLayout& out) {
  out.set_tp(static_cast<std::int32_t>(layout.tp));
  out.set_pp(static_cast<std::int32_t>(layout.pp));
  out.set_dp(static_cast<std::int32_t>(layout.dp));
  out.set_ep(static_cast<std::int32_t>(layout.ep));
  out.set_replicas(static_cast<std::int32_t>(layout.replicas));
  out.set_gpus(static_cast<std::int32_t>(layout.gpus()));
}

void write(const plan::MemoryBreakdown& use, Bytes kv_room, proto::MemoryPerGpu& out) {
  out.set_attention_bytes(whole_bytes(use.attention));
  out.set_dense_ffn_bytes(whole_bytes(use.dense_ffn));
  out.set_routed_experts_bytes(whole_bytes(use.routed_experts));
  out.set_shared_experts_bytes(whole_bytes(use.shared_experts));
  out.set_router_bytes(whole_bytes(use.router));
  out.set_embedding_bytes(whole_bytes(use.embedding));
  out.set_head_bytes(whole_bytes(use.head));
  out.set_norms_bytes(whole_bytes(use.norms));
  out.set_mtp_bytes(whole_bytes(use.mtp));
  out.set_other_bytes(whole_bytes(use.other));
  out.set_weights_bytes(whole_bytes(use.weights()));
  out.set_activations_bytes(whole_bytes(use.activations));
  out.set_graphs_and_communication_bytes(whole_bytes(use.graphs_and_communication));
  out.set_runtime_bytes(whole_bytes(use.runtime));
  out.set_workspace_bytes(whole_bytes(use.workspace()));
  out.set_kv_room_bytes(whole_bytes(kv_room));
}

void write(const plan::MemoryOptions& options, Bytes kv_element, proto::MemorySettings& out) {
  out.set_gpu_memory_utilization(options.gpu_memory_utilization);
  out.set_max_num_batched_tokens(static_cast<double>(options.max_num_batched_tokens));
  out.set_max_num_seqs(static_cast<double>(options.max_num_seqs));
  out.set_block_size(static_cast<double>(options.block_size));
  out.set_context_tokens(static_cast<double>(options.context));
  out.set_redundant_experts(static_cast<double>(options.redundant_experts));
  out.set_load_mtp(options.load_mtp);
  out.set_cuda_graphs(options.cuda_graphs);
  out.set_kv_element_bytes(kv_element.base());
}

void write(const plan::MemoryReport& r, proto::MemoryReport& out) {
  out.set_verdict(plan::to_string(r.verdict));
  out.set_reason(r.reason);
  out.set_gpu_memory_bytes(whole_bytes(r.gpu_memory));
  out.set_budget_bytes(whole_bytes(r.budget));
  out.set_fullest_stage(static_cast<std::int32_t>(r.fullest_stage));
  write(r.per_gpu, r.kv_room, *out.mutable_per_gpu());
  out.set_kv_bytes_per_token(r.kv_bytes_per_token.base());
  out.set_kv_bytes_per_token_per_gpu(r.kv_bytes_per_token_per_gpu.base());
  out.set_kv_bytes_per_sequence_per_gpu(whole_bytes(r.kv_bytes_per_sequence_per_gpu));
  out.set_sequence_tokens(static_cast<double>(r.sequence_tokens));
  out.set_kv_blocks_per_rank(static_cast<double>(r.kv_blocks_per_rank));
  out.set_kv_capacity_tokens_per_rank(static_cast<double>(r.kv_capacity_tokens_per_rank));
  out.set_kv_capacity_tokens(static_cast<double>(r.kv_capacity_tokens));
  out.set_useful_tokens(static_cast<double>(r.useful_tokens));
  out.set_tight_kv_capacity_tokens(static_cast<double>(r.tight_kv_capacity_tokens));
  out.set_tight_shortfall_bytes(std::ceil(r.tight_shortfall.base()));
}

}  // namespace

std::string memory_json(const MemoryAnswer& answer) {
  proto::MemoryReport message;
  message.set_model(answer.model);
  message.set_precision(answer.precision);
  message.set_gpu(answer.gpu);
  write(answer.layout, *message.mutable_layout());
  message.set_layout_choice(answer.layout_choice);
  write(answer.options, answer.kv_element, *message.mutable_settings());
  write(answer.report, message);
  for (const plan::FittingLayout& fit : answer.smallest) {
    proto::MemoryFit& out = *message.add_smallest_layouts();
    write(fit.layout, *out.mutable_layout());
    out.set_weights_bytes(whole_bytes(fit.report.per_gpu.weights()));
    out.set_kv_capacity_tokens(static_cast<double>(fit.report.kv_capacity_tokens));
  }
  return message_json(message);
}

}  // namespace moesim::report
