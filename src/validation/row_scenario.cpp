#include "validation/row_scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "core/diagnostics.h"
#include "core/text.h"
#include "plan/memory.h"
#include "scenario/scenario_reader.h"
#include "validation/row_names.h"
#include "validation/row_pools.h"
#include "validation/row_refusal.h"
#include "validation/row_sources.h"

namespace moesim::validation {
namespace {

using scenario::PublishedRow;

// Requests of a run that the row does not count. TensorRT-LLM's benchmark page takes 3,000, and
// 1,000 where a request has more than 20,000 tokens.
constexpr std::int64_t kOfflineRequests = 3000;
constexpr std::int64_t kOfflineLongRequests = 1000;
constexpr double kLongRequest = 20'000;
// A prefill-only run is steady from its first iterations on: rounds of what a rank takes at once.
constexpr std::int64_t kPrefillRounds = 6;
constexpr std::int64_t kClosedRounds = 6;
constexpr std::int64_t kLeastClosed = 48;
constexpr double kSteadySeconds = 90;
constexpr double kWarmUpSeconds = 30;
constexpr std::int64_t kLeastDecoded = 512;

class Planner {
 public:
  Planner(const PublishedRow& row, const scenario::PublishedRows& all,
          const catalog::Catalog& catalog)
      : row_(row), all_(all), catalog_(catalog) {}

  RowScenario plan() {
    names();
    cluster_text_ = cluster();
    const std::string workload_text = workload();
    plan_.text = assembled(workload_text);
    return std::move(plan_);
  }

 private:
  std::string assembled(const std::string& workload_text) {
    return fmt::format("model: \"{}\"\n{}{}{}{}", model_->name, cluster_text_, deployment(),
                       experts(), workload_text);
  }

  /// Spare slots, where the experts would not divide otherwise; even routing, where the row says
  /// so.
  std::string experts() {
    if (!model_->is_moe()) return "";
    std::int64_t routed = 0;
    for (const catalog::LayerKind& kind : model_->kinds) {
      if (kind.feed_forward.is_moe()) routed = kind.feed_forward.routed_experts;
    }
    std::string text;
    const auto stated = number_before(row_.note, "redundant experts");
    const std::int64_t spare = stated ? std::llround(*stated) : (ep_ - routed % ep_) % ep_;
    if (spare > 0) {
      text += fmt::format("  redundant_experts: {}\n", spare);
      if (!stated)
        assume(fmt::format("{} redundant experts, so that slots divide over ep {}", spare, ep_));
    }
    constexpr std::int64_t kNode = 8;
    if (ep_ > kNode || spare > 0) text += "  placement { strategy: \"eplb\" }\n";
    if (row_.note.find("balanced routing") != std::string::npos) {
      text += "  popularity { uniform: true }\n";
    }
    return text.empty() ? "" : "experts {\n" + text + "}\n";
  }

  void assume(std::string text) { plan_.assumed.push_back(std::move(text)); }

  void names() {
    if (row_.pd_mode == "kernel") throw Refused{"a kernel, not a deployment"};
    model_ = model_of(row_.model, catalog_);
    if (model_ == nullptr)
      throw Refused{fmt::format("model \"{}\" is not in the catalog", row_.model)};
    gpu_ = gpu_of(row_.gpu, catalog_);
    if (gpu_ == nullptr) throw Refused{fmt::format("GPU \"{}\" is not in the catalog", row_.gpu)};
    engine_ = engine_of(row_.engine, catalog_);
    if (engine_ == nullptr) {
      throw Refused{fmt::format("engine \"{}\" is not in the catalog", row_.engine)};
    }
    const auto formats = formats_of(row_.precision, *model_, *engine_);
    if (!formats) throw Refused{fmt::format("number format \"{}\" is not known", row_.precision)};
    formats_ = *formats;
    prefill_only_ = row_.pd_mode == "prefill_only" || row_.output_tokens == 1.0;
    decode_only_ = row_.pd_mode == "decode_only";
  }

  std::string cluster() {
    tp_ = degree(row_.tp, "tp");
    pp_ = row_.pp ? degree(row_.pp, "pp") : 1;
    dp_ = row_.dp ? degree(row_.dp, "dp") : 1;
    ep_ = row_.ep ? degree(row_.ep, "ep") : 1;
    if (dp_ > 1 && ep_ <= tp_) std::swap(dp_, replicas_);
    const std::int64_t instance = tp_ * pp_ * dp_;
    std::int64_t used = instance * replicas_;
    if (row_.pd_mode.starts_with("disagg")) used = pools(instance);
    const double gpus =
        pools_ ? static_cast<double>(used) : row_.gpus.value_or(static_cast<double>(used));
    if (gpus != static_cast<double>(used)) {
      throw Refused{fmt::format("its layout takes {} GPUs, the row counts {:g}", used, gpus)};
    }
    std::int64_t nodes = row_.nodes ? degree(row_.nodes, "nodes") : (used + 7) / 8;
    if (pools_ && row_.gpus) {  // of as many GPUs as the row's, though one pool is simulated
      const std::int64_t all = degree(row_.gpus, "n_gpus");
      nodes = std::max<std::int64_t>(1, used * nodes / all);
    }
    const std::int64_t per_node = (used + nodes - 1) / nodes;
    plan_.gpus = gpus;
    std::string text = fmt::format("cluster {{\n  gpu: \"{}\"\n  nodes: {}\n  gpus_per_node: {}\n",
                                   gpu_->name, nodes, per_node);
    const std::string links = to_lower(row_.interconnect);
    if (links.find("no nvlink") != std::string::npos) {
      const auto generation = number_behind(links, "pcie");
      if (generation) {
        const std::string name = fmt::format("PCIe{:g}-x16", *generation);
        if (catalog_.find_fabric(name) != nullptr)
          text += fmt::format("  scale_up: \"{}\"\n", name);
      }
    }
    return text + "}\n";
  }

  /// Both pools, where a load is published; else the one that the figure is of, at its limit.
  std::int64_t pools(std::int64_t instance) {
    pools_ = published_pools(row_.pd_mode, instance, row_.gpus, row_.nodes);
    if (!pools_) {
      throw Refused{
          fmt::format("\"{}\" with {} GPUs an instance states no pools", row_.pd_mode, instance)};
    }
    if (row_.concurrency_per_gpu || row_.request_rate) {
      const std::int64_t used = instance * (pools_->prefill + pools_->decode);
      if (row_.gpus && *row_.gpus != static_cast<double>(used)) {
        throw Refused{fmt::format("its pools take {} GPUs, the row counts {:g}", used, *row_.gpus)};
      }
      return used;
    }
    prefill_only_ = row_.metric.starts_with("input_");
    decode_only_ = !prefill_only_;
    replicas_ = prefill_only_ ? pools_->prefill : pools_->decode;
    assume(fmt::format("no load is published: the {} pool alone, at its limit",
                       prefill_only_ ? "prefill" : "decode"));
    return instance * replicas_;
  }

  /// Layout of an instance, of both pools where both are simulated.
  [[nodiscard]] std::string layout() const {
    const auto degrees = [&](std::int64_t instances) {
      return fmt::format("  tp: {}\n  pp: {}\n  dp: {}\n  ep: {}\n  replicas: {}\n", tp_, pp_, dp_,
                         ep_, instances);
    };
    if (!pools_ || prefill_only_ || decode_only_) return degrees(replicas_);
    // Pushed while the prompt is computed, or fetched when it is.
    const bool pushed = row_.note.find("layer by layer") != std::string::npos;
    return fmt::format("  prefill {{\n{}  }}\n  decode {{\n{}  }}\n  kv_transfer {{ mode: {} }}\n",
                       degrees(pools_->prefill), degrees(pools_->decode),
                       pushed ? "LAYERWISE" : "AT_END");
  }

  [[nodiscard]] std::int64_t ranks() const { return dp_ * replicas_; }

  std::string deployment() {
    std::string text = fmt::format(
        "deployment {{\n  engine: \"{}\"\n{}{}{}", engine_->name,
        formats_.weights.empty() ? "" : fmt::format("  precision: \"{}\"\n", formats_.weights),
        formats_.kv_cache == "auto" ? ""
                                    : fmt::format("  kv_cache_dtype: \"{}\"\n", formats_.kv_cache),
        layout());
    text += "  scheduler {\n";
    std::optional<double> sequences = number_behind(row_.note, "max_num_seqs");
    if (const auto most = end_of_range(row_.note, "max batch")) sequences = most;
    std::optional<double> batched = number_before(row_.note, "batched tokens");
    if (prefill_only_) {
      if (const auto batch = number_behind(row_.note, "batch")) {
        if (row_.note.find(fmt::format("batch: {:g} tokens", *batch)) != std::string::npos) {
          batched = batch;
        }
      }
    }
    if (decode_only_) {
      sequences = static_cast<double>(batch_);
      batched = static_cast<double>(chunk_);
    }
    if (sequences && batched) batched = std::max(*batched, *sequences);
    if (sequences) text += fmt::format("    max_num_seqs: {:.0f}\n", *sequences);
    if (batched) text += fmt::format("    max_num_batched_tokens: {:.0f}\n", *batched);
    text += "  }\n";
    if (overlaps()) text += "  overlap {}\n";
    if (dp_ > 1 && row_.note.find("all-gather/reduce-scatter") != std::string::npos) {
      text += "  all2all_backend: ALLGATHER_REDUCESCATTER\n";
    }
    return text + "}\n";
  }

  /// The row says that two micro-batches hide each other's exchanges.
  [[nodiscard]] bool overlaps() const {
    if (dp_ == 1) return false;
    const auto says = [&](const char* words) {
      return row_.engine.find(words) != std::string::npos ||
             row_.note.find(words) != std::string::npos;
    };
    return says("DBO") || says("dual-batch overlap") || says("micro-batch");
  }

  double input_tokens() {
    if (row_.input_tokens) return *row_.input_tokens;
    const scenario::DatasetLengths* d = dataset_of(row_, *model_, all_, catalog_);
    if (d == nullptr) throw Refused{"the input length is not published"};
    assume(fmt::format("{:g} input tokens: {}", d->input_tokens, d->basis));
    return d->input_tokens;
  }

  std::string workload() {
    if (const scenario::RecordedRun* run = recording_of(row_, *model_, *gpu_, all_, catalog_)) {
      plan_.load = Load::Recorded;
      return fmt::format("workload {{ trace {{ file: \"{}\" format: CSV }} }}\n{}", run->file,
                         simulation("seed: 1"));
    }
    input_ = tokens(input_tokens());
    if (decode_only_) {
      set_decode_lengths();
    } else {
      output_ = prefill_only_ ? 1 : tokens(needed(row_.output_tokens, "the output length"));
    }
    const std::string lengths = fmt::format(
        "  input {{ fixed_tokens: {} }}\n  output {{ fixed_tokens: {} }}\n", input_, output_);
    auto stated = number_before(row_.note, "requests");
    if (!stated) stated = number_before(row_.source, "requests");
    if (!stated) stated = number_behind(row_.unit, "requests of");
    if (decode_only_) return decode_round();
    if (row_.concurrency_per_gpu) return closed_loop(lengths, stated);
    if (row_.request_rate && std::isinf(*row_.request_rate)) return offline(lengths, stated);
    if (row_.request_rate) return open_loop(lengths, stated);
    if (prefill_only_) return offline(lengths, stated);
    throw Refused{"neither a rate nor a concurrency is published"};
  }

  /// Answers long enough for all prompts to be done before the first ends, about the same mean
  /// cache; without an output length the published cache is the mean one.
  void set_decode_lengths() {
    const double answer = row_.output_tokens.value_or(0.0);
    output_ = std::max(kLeastDecoded, answer > 0 ? tokens(answer) : std::int64_t{0});
    const double cache = static_cast<double>(input_) + 0.5 * answer;
    const double prompt = cache - 0.5 * static_cast<double>(output_);
    input_ = std::max<std::int64_t>(1, std::llround(prompt));
    if (static_cast<double>(output_) != answer) {
      assume(fmt::format("{} tokens are decoded about a mean cache of {:g}", output_, cache));
    }
  }

  /// One round: all prompts first, then all answers side by side.
  std::string decode_round() {
    plan_.load = Load::DecodeRound;
    plan_.concurrency =
        row_.concurrency_per_gpu
            ? std::max<std::int64_t>(1, std::llround(*row_.concurrency_per_gpu * plan_.gpus))
            : ranks() * sequences_that_fit();
    // Prompts are to be done long before the first answer ends.
    constexpr std::int64_t kHaste = 8;
    constexpr std::int64_t kLeast = 512;
    constexpr std::int64_t kMost = 16'384;
    const std::int64_t batch = (plan_.concurrency + ranks() - 1) / ranks();
    batch_ = batch;
    chunk_ = std::clamp(kHaste * batch * input_ / output_, std::max(kLeast, batch),
                        std::max(kMost, batch));
    return fmt::format(
        "workload {{\n  concurrency: {0}\n  input {{ fixed_tokens: {1} }}\n"
        "  output {{ fixed_tokens: {2} }}\n}}\n{3}",
        plan_.concurrency, input_, output_,
        simulation(fmt::format("max_requests: {}", plan_.concurrency)));
  }

  /// As many sequences at their full length as the cache of a rank holds.
  std::int64_t sequences_that_fit() {
    constexpr std::int64_t kMost = 1024;
    batch_ = kMost;
    chunk_ = kMost;
    scenario::TextOrigin origin;
    origin.file_name = "published run";
    std::vector<std::string> assumed = plan_.assumed;
    const std::string text = assembled(
        "workload { concurrency: 1 input { fixed_tokens: 1 } "
        "output { fixed_tokens: 1 } }\nsimulation { max_requests: 1 }");
    plan_.assumed = std::move(assumed);
    try {
      const scenario::Scenario s = scenario::read_scenario_text(text, origin, {}, catalog_);
      const serving::Deployment& d = s.deployment;
      const plan::MemoryReport memory =
          plan::plan_memory(d.model, d.precision, d.cluster.gpu, d.layout, d.memory);
      const std::int64_t fits = memory.kv_capacity_tokens_per_rank / (input_ + output_);
      if (fits < 1) throw Refused{"does not fit: " + memory.reason};
      const std::int64_t batch = std::min(kMost, fits);
      assume(fmt::format("{} sequences a rank: what its cache holds, at most {}", batch, kMost));
      return batch;
    } catch (const InputError& error) {
      throw Refused{error.diagnostics().front().message};
    }
  }

  /// Sampling changes throughput by less than 1 % and takes a fraction of the time.
  [[nodiscard]] std::string simulation(const std::string& fields) const {
    const char* fidelity = model_->is_moe() ? "fidelity: SAMPLED " : "";
    return fmt::format("simulation {{ {}{} }}\n", fidelity, fields);
  }

  std::string offline(const std::string& lengths, const std::optional<double>& stated) {
    plan_.load = Load::Offline;
    std::int64_t requests = stated ? tokens(*stated) : 0;
    if (const auto* d = dataset_of(row_, *model_, all_, catalog_); d != nullptr && requests == 0)
      requests = d->requests;
    if (requests == 0 && prefill_only_) {
      constexpr std::int64_t kTokensAtOnce = 16'384;
      requests = ranks() * kPrefillRounds * std::max<std::int64_t>(1, kTokensAtOnce / input_);
      assume(fmt::format("{} prompts", requests));
    } else if (requests == 0) {
      const bool is_long = static_cast<double>(input_ + output_) > kLongRequest;
      requests = is_long ? kOfflineLongRequests : kOfflineRequests;
      assume(fmt::format("{} requests", requests));
    }
    return fmt::format("workload {{\n  concurrency: {}\n{}}}\n{}", requests, lengths,
                       simulation(fmt::format("max_requests: {}", requests)));
  }

  std::string closed_loop(const std::string& lengths, const std::optional<double>& stated) {
    plan_.load = Load::Closed;
    plan_.concurrency =
        std::max<std::int64_t>(1, std::llround(*row_.concurrency_per_gpu * plan_.gpus));
    std::int64_t requests =
        stated ? tokens(*stated) : std::max(kLeastClosed, kClosedRounds * plan_.concurrency);
    if (prefill_only_) requests = std::min(requests, 3 * plan_.concurrency);
    if (requests < 3 * plan_.concurrency) plan_.load = Load::Offline;
    return fmt::format("workload {{\n  concurrency: {}\n{}}}\n{}",
                       std::min(plan_.concurrency, requests), lengths,
                       simulation(fmt::format("max_requests: {}", requests)));
  }

  std::string open_loop(const std::string& lengths, const std::optional<double>& stated) {
    plan_.load = stated ? Load::Open : Load::Steady;
    plan_.warm_up_s = stated ? 0.0 : kWarmUpSeconds;
    const std::string end = stated ? fmt::format("max_requests: {}", tokens(*stated))
                                   : fmt::format("warm_up: \"{:g} s\" duration: \"{:g} s\"",
                                                 kWarmUpSeconds, kSteadySeconds);
    return fmt::format(
        "workload {{\n  arrivals {{ poisson {{}} }}\n  rate: \"{:g} req/s\"\n{}}}\n{}",
        *row_.request_rate, lengths, simulation(end));
  }

  const PublishedRow& row_;
  const scenario::PublishedRows& all_;
  const catalog::Catalog& catalog_;
  const catalog::Model* model_ = nullptr;
  const catalog::Gpu* gpu_ = nullptr;
  const catalog::Engine* engine_ = nullptr;
  Formats formats_;
  std::string cluster_text_;
  std::optional<PublishedPools> pools_;
  bool prefill_only_ = false;
  bool decode_only_ = false;
  std::int64_t tp_ = 1, pp_ = 1, dp_ = 1, ep_ = 1, replicas_ = 1;
  std::int64_t input_ = 0, output_ = 0;
  std::int64_t batch_ = 0, chunk_ = 0;  ///< Of a decode round, each rank.
  RowScenario plan_;
};

}  // namespace

RowPlan plan_row(const scenario::PublishedRow& row, const scenario::PublishedRows& all,
                 const catalog::Catalog& catalog) {
  try {
    return Planner(row, all, catalog).plan();
  } catch (Refused& refused) {
    return LeftOut{std::move(refused.reason)};
  }
}

}  // namespace moesim::validation
