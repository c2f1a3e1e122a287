#include "plan/verdict.h"

#include <fmt/core.h>

#include <algorithm>

namespace moesim::plan {
namespace {

std::string gigabytes(Bytes bytes) { return fmt::format("{:.1f} GB", bytes / 1e9 / kByte); }

std::string settings(const MemoryOptions& o) {
  return fmt::format(
      "gpu_memory_utilization {:.2f}, {} batched tokens, {} sequences, no CUDA graphs",
      o.gpu_memory_utilization, o.max_num_batched_tokens, o.max_num_seqs);
}

std::string reason_against(const Headroom& h, const MemoryReport& r) {
  if (h.tight_weights > r.gpu_memory) {
    return fmt::format("the weights alone, {} per GPU, exceed its {}", gigabytes(h.tight_weights),
                       gigabytes(r.gpu_memory));
  }
  return fmt::format(
      "even with tightened settings {} of weights and {} of workspace leave no room in {} for one "
      "sequence of {} tokens: {} per GPU are missing",
      gigabytes(h.tight_weights), gigabytes(h.tight_workspace), gigabytes(h.tight_budget),
      r.sequence_tokens, gigabytes(r.tight_shortfall));
}

}  // namespace

std::string to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::Fits:
      return "fits";
    case Verdict::Marginal:
      return "marginal";
    case Verdict::No:
      return "no";
  }
  return "no";
}

MemoryOptions tightened(MemoryOptions options) {
  options.gpu_memory_utilization = std::max(options.gpu_memory_utilization, 0.95);
  options.max_num_batched_tokens = std::min<std::int64_t>(options.max_num_batched_tokens, 2048);
  options.max_num_seqs = std::min<std::int64_t>(options.max_num_seqs, 8);
  options.cuda_graphs = false;
  return options;
}

void judge(const Headroom& headroom, const MemoryOptions& options, MemoryReport& report) {
  if (!headroom.holds_one_tight) {
    report.verdict = Verdict::No;
    report.reason = reason_against(headroom, report);
  } else if (!headroom.holds_one) {
    report.verdict = Verdict::Marginal;
    report.reason = fmt::format(
        "no room for one sequence of {} tokens with the given settings; {} tokens of KV cache with "
        "tightened ones ({})",
        report.sequence_tokens, report.tight_kv_capacity_tokens, settings(tightened(options)));
  } else if (report.kv_capacity_tokens < report.useful_tokens) {
    report.verdict = Verdict::Marginal;
    report.reason = fmt::format("{} tokens of KV cache are fewer than {}, a batch of useful size",
                                report.kv_capacity_tokens, report.useful_tokens);
  } else {
    report.verdict = Verdict::Fits;
    report.reason = fmt::format(
        "{} tokens of KV cache, {:.0f} sequences of {} tokens", report.kv_capacity_tokens,
        static_cast<double>(report.kv_capacity_tokens / report.sequence_tokens),
        report.sequence_tokens);
  }
}

}  // namespace moesim::plan
