#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/text.h"
#include "report/memory_report.h"

namespace moesim::report {
namespace {

constexpr double kGb = 1e9;
constexpr double kGib = 1073741824.0;

/// `text` in lines of at most 84 characters, each but the first indented like the answers beside
/// the labels.
std::string wrapped(const std::string& text) {
  constexpr std::size_t kWidth = 84;
  std::string out;
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    const std::string word = text.substr(at, end - at);
    if (column > 0 && column + 1 + word.size() > kWidth) {
      out += "\n           ";
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    at = end + 1;
  }
  return out;
}

std::string row(const std::string& name, Bytes bytes, Bytes whole) {
  return fmt::format("  {:<32}{:>10.2f}{:>10.2f}{:>9.1f} %\n", name, bytes.base() / kGb,
                     bytes.base() / kGib, 100.0 * (bytes / whole));
}

std::string weight_rows(const plan::MemoryBreakdown& use, Bytes whole) {
  const std::pair<const char*, Bytes> classes[] = {
      {"attention", use.attention},
      {"dense feed-forward", use.dense_ffn},
      {"routed experts", use.routed_experts},
      {"shared experts", use.shared_experts},
      {"router", use.router},
      {"embedding", use.embedding},
      {"head", use.head},
      {"MTP modules", use.mtp},
      {"norms and other", use.norms + use.other},
  };
  std::string text;
  for (const auto& [name, bytes] : classes) {
    if (bytes > Bytes{}) text += row(std::string("  ") + name, bytes, whole);
  }
  return text;
}

std::string gpus_text(const plan::Layout& layout) {
  return layout.replicas == 1
             ? fmt::format("{} GPU{}", layout.gpus(), layout.gpus() == 1 ? "" : "s")
             : fmt::format("{} GPUs as {} instances of {}", layout.gpus(), layout.replicas,
                           layout.gpus_per_instance());
}

std::string kv_lines(const MemoryAnswer& a) {
  const plan::MemoryReport& r = a.report;
  std::string text =
      fmt::format("KV cache   {} B per token of the model at {} B per element; {} B on this GPU\n",
                  format_number(r.kv_bytes_per_token.base()), format_number(a.kv_element.base()),
                  format_number(r.kv_bytes_per_token_per_gpu.base()));
  text += fmt::format("           {} tokens in one instance", r.kv_capacity_tokens);
  if (a.layout.dp > 1) {
    text += fmt::format(", {} on each of {} attention ranks", r.kv_capacity_tokens_per_rank,
                        a.layout.dp);
  }
  text += fmt::format("\n           one sequence of {} tokens: {:.3f} GB on this GPU\n",
                      r.sequence_tokens, r.kv_bytes_per_sequence_per_gpu.base() / kGb);
  return text;
}

std::string smallest_lines(const MemoryAnswer& a) {
  if (a.smallest.empty()) {
    return fmt::format("Smallest   no usual layout of up to {} {} fits\n", a.searched_gpus, a.gpu);
  }
  std::string text;
  for (const plan::FittingLayout& fit : a.smallest) {
    text += fmt::format("{:<11}{:>3} x {}: {}, {:.1f} GB of weights per GPU, {} tokens of KV\n",
                        text.empty() ? "Smallest" : "", fit.layout.gpus(), a.gpu,
                        plan::to_string(fit.layout), fit.report.per_gpu.weights().base() / kGb,
                        fit.report.kv_capacity_tokens);
  }
  return text;
}

/// What the share is taken of: docs/models/memory.md.
std::string budget_words(const plan::MemoryOptions& options) {
  const std::string share = format_number(options.gpu_memory_utilization);
  switch (options.memory_share) {
    case catalog::MemoryShare::Total:
      return fmt::format("budget ({} of memory)", share);
    case catalog::MemoryShare::Free:
      return fmt::format("budget (cache {} of free)", share);
    case catalog::MemoryShare::Reserved:
      return fmt::format("budget (static {})", share);
  }
  return "budget";
}

}  // namespace

std::string memory_table(const MemoryAnswer& a) {
  const plan::MemoryReport& r = a.report;
  const plan::MemoryBreakdown& use = r.per_gpu;
  std::string text = fmt::format("{} {} on {} x {}: {}\n", a.model, a.precision, a.layout.gpus(),
                                 a.gpu, plan::to_string(r.verdict));
  text += fmt::format("           {}\n", wrapped(r.reason));
  text += fmt::format("Layout     {}: {}; {}\n", plan::to_string(a.layout), gpus_text(a.layout),
                      a.layout_choice);
  text += fmt::format("Settings   {} batched tokens, {} sequences per rank{}{}\n\n",
                      a.options.max_num_batched_tokens, a.options.max_num_seqs,
                      a.options.redundant_experts > 0
                          ? fmt::format(", {} redundant experts", a.options.redundant_experts)
                          : "",
                      a.options.load_mtp ? ", MTP loaded" : "");
  const std::string heading = a.layout.pp > 1
                                  ? fmt::format("Fullest GPU (stage {})", r.fullest_stage)
                                  : std::string("Fullest GPU");
  text += fmt::format("{:<34}{:>10}{:>10}{:>11}\n", heading, "GB", "GiB", "of memory");
  text += row("weights", use.weights(), r.gpu_memory);
  text += weight_rows(use, r.gpu_memory);
  text += row("activations", use.activations, r.gpu_memory);
  text += row("graphs and communication", use.graphs_and_communication, r.gpu_memory);
  text += row("runtime", use.runtime, r.gpu_memory);
  text += row("room for the KV cache", r.kv_room, r.gpu_memory);
  text += row(budget_words(a.options), r.budget, r.gpu_memory);
  text += row("memory", r.gpu_memory, r.gpu_memory);
  text += "\n" + kv_lines(a) + smallest_lines(a);
  text += "GB = 10^9 B, GiB = 2^30 B. How it is computed: docs/models/memory.md\n";
  return text;
}

}  // namespace moesim::report
