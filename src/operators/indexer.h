// The indexer of sparse attention on one rank of one layer: it scores every cache entry for every
// query, and the best are attended to.
//
// Model:   two kernels. Scores: launch + max(2 heads width flops a pair in fp8, keys read and fp32
//          scores written). Choice: launch + the scores read once.
// Omits:   projections, norm, rotation and quantisation of its queries and keys, which
//          serving/token_cost.h counts; passes of the choice beyond the first.
// Source:  DeepSeek-V3.2, https://github.com/deepseek-ai/DeepSeek-V3.2-Exp, inference/model.py.
// Layer:   operators.
#pragma once

#include "catalog/gpu.h"
#include "catalog/model.h"
#include "operators/operator_time.h"

namespace moesim::operators {

class IndexerTimer {
 public:
  IndexerTimer() = default;  ///< Of a layer without one: no time.
  IndexerTimer(const catalog::Attention& attention, const catalog::Gpu& gpu,
               const Efficiency& efficiency);
  /// `pairs` of a query and an entry are scored, keys of `entries` are read. Pure; rises with both.
  [[nodiscard]] OperatorTime time(double pairs, double entries) const;

 private:
  bool none_ = true;
  Seconds launch_;
  Seconds pair_compute_;
  Seconds pair_memory_;  ///< A score written, or read again.
  Seconds entry_memory_;
};

}  // namespace moesim::operators
