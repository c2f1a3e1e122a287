#include "serving/graph_padding.h"

#include <algorithm>

namespace moesim::serving {

std::vector<std::int64_t> default_graph_sizes(const catalog::EngineGraphs& graphs,
                                              std::int64_t max_num_seqs) {
  std::vector<std::int64_t> sizes;
  const std::int64_t most = graphs.times_max_num_seqs * max_num_seqs;
  for (const catalog::GraphRange& range : graphs.ranges) {
    const std::int64_t last = std::min(range.last, most);
    for (std::int64_t size = range.first; size <= last;
         size = range.doubling ? 2 * size : size + range.step) {
      sizes.push_back(size);
    }
  }
  const bool own = graphs.captures_max_num_seqs && !graphs.ranges.empty() &&
                   max_num_seqs <= graphs.ranges.back().last;
  if (own && (sizes.empty() || sizes.back() < max_num_seqs)) sizes.push_back(max_num_seqs);
  return sizes;
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
