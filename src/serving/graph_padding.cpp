#include "serving/graph_padding.h"

#include <algorithm>

#include "core/text.h"

namespace moesim::serving {
namespace {

/// first, first + step, ... up to and including `last`.
void add_range(std::int64_t first, std::int64_t last, std::int64_t step,
               std::vector<std::int64_t>& sizes) {
  for (std::int64_t size = first; size <= last; size += step) sizes.push_back(size);
}

/// 1, 2, 4, then by 8 to 256 and by 16 to 512: vLLM 0.11's cudagraph_capture_sizes. The largest is
/// twice max_num_seqs, at most 512.
std::vector<std::int64_t> vllm_sizes(std::int64_t max_num_seqs) {
  std::vector<std::int64_t> sizes{1, 2, 4};
  add_range(8, 248, 8, sizes);
  add_range(256, 512, 16, sizes);
  const std::int64_t most = std::min<std::int64_t>(512, 2 * max_num_seqs);
  std::erase_if(sizes, [&](std::int64_t size) { return size > most; });
  return sizes;
}

/// 1, 2, 4, 8, 12, then by 8 to 256: SGLang 0.5's --cuda-graph-bs up to its default
/// --cuda-graph-max-bs on GPUs of 80 GB (256), at most max_running_requests.
std::vector<std::int64_t> sglang_sizes(std::int64_t max_num_seqs) {
  std::vector<std::int64_t> sizes{1, 2, 4, 8, 12};
  add_range(16, 256, 8, sizes);
  std::erase_if(sizes, [&](std::int64_t size) { return size > max_num_seqs; });
  // The largest batch that may run has a graph of its own.
  if (max_num_seqs <= 256 && (sizes.empty() || sizes.back() < max_num_seqs)) {
    sizes.push_back(max_num_seqs);
  }
  return sizes;
}

/// 1, 2, 4, by 8 to 128, then powers of two up to max_batch_size: TensorRT-LLM 1.0's
/// cuda_graph_config with padding on.
std::vector<std::int64_t> trtllm_sizes(std::int64_t max_num_seqs) {
  std::vector<std::int64_t> sizes{1, 2, 4};
  add_range(8, 128, 8, sizes);
  for (std::int64_t size = 256; size <= max_num_seqs; size *= 2) sizes.push_back(size);
  std::erase_if(sizes, [&](std::int64_t size) { return size > max_num_seqs; });
  if (sizes.empty() || sizes.back() < max_num_seqs) sizes.push_back(max_num_seqs);
  return sizes;
}

}  // namespace

std::vector<std::int64_t> default_graph_sizes(std::string_view engine, std::int64_t max_num_seqs) {
  const std::string name = to_lower(engine);
  if (name == "vllm") return vllm_sizes(max_num_seqs);
  if (name == "sglang" || name == "deepseek") return sglang_sizes(max_num_seqs);
  if (name == "tensorrt-llm") return trtllm_sizes(max_num_seqs);
  return {};
}

std::int64_t graph_for(std::span<const std::int64_t> sizes, std::int64_t batch) {
  const auto found = std::lower_bound(sizes.begin(), sizes.end(), batch);
  return found == sizes.end() ? 0 : *found;
}

std::int64_t graph_for(std::span<const std::int64_t> sizes, std::span<const RankBatch> ranks) {
  std::int64_t most = 0;
  for (const RankBatch& batch : ranks) {
    if (batch.prefill_tokens > 0) return 0;
    most = std::max<std::int64_t>(most, batch.decode_sequences);
  }
  return most == 0 ? 0 : graph_for(sizes, most);
}

void pad_to(std::int64_t sequences, std::span<RankBatch> batches) {
  std::int32_t queries = 1;
  for (const RankBatch& batch : batches) queries = std::max(queries, batch.decode_queries);
  for (RankBatch& batch : batches) {
    const std::int64_t added = sequences - batch.decode_sequences;
    batch.decode_sequences += static_cast<std::int32_t>(added);
    batch.decode_queries = queries;  // idle ranks have none of their own
    for (std::int64_t& context : batch.decode_context) context += added;
  }
}

}  // namespace moesim::serving
