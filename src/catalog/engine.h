// A serving engine: what it supports per model family, its scheduler's defaults under its own
// names, how it counts the memory it gives to the KV cache, and its overhead per iteration.
//
// Omits: settings that the simulation has no use for. docs/models/engines.md.
// Source of each entry: scenarios/catalog/engines.txtpb.
// Layer: catalog.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/units.h"

namespace moesim::catalog {

enum class Support { Yes, Partial, No, Unknown };

struct EngineSupport {
  std::string family;  ///< llama_3, mistral, deepseek_v3
  Support status = Support::Unknown;
  std::vector<std::string> parallelism;  ///< TP, PP, DP, EP as documented.
  std::vector<std::string> quantisation;
  std::vector<std::string> refuses;  ///< "TP", "PP", "DP", "EP": documented as not supported.
  bool gguf_only = false;            ///< Reads GGUF files and nothing else.
  std::string source;
  std::string note;
};

/// What the engine's share of memory is a share of.
enum class MemoryShare {
  Total,     ///< Of the card: pays for weights, workspace and cache (vLLM).
  Free,      ///< Of what weights and workspace leave: pays for the cache (TensorRT-LLM).
  Reserved,  ///< Of the card less the runtime: pays for weights and cache; workspace is in the
             ///< rest.
};

/// What a setting of the scheduler says, whatever the engine calls it.
enum class SchedulerSetting { MaxSequences, BatchedTokens, MemoryShare, BlockSize };

struct SettingName {
  std::string name;  ///< A field of the scenario's scheduler: "max_running_requests".
  SchedulerSetting means = SchedulerSetting::MaxSequences;
};

/// When a scheduler starts a request.
enum class Admission {
  AsNeeded,       ///< Blocks for the prompt suffice; sequences are preempted when they run out.
  Guaranteed,     ///< Blocks to the end of the answer are set apart: nothing is preempted.
  NewTokenRatio,  ///< As needed, with a share of the running answers kept free.
};

/// Blocks that a preempted sequence finds again, if nobody has taken them, where prefixes are
/// cached.
enum class PreemptedBlocks {
  None,
  Prompt,  ///< Answers are not cached while they grow.
  All,
};

/// What its scheduler can do beside serving in order of arrival.
struct EngineScheduling {
  bool priority = false;  ///< Serves by priority.
  bool swap = false;      ///< Preempts by swapping to the host, too.
  /// When it starts a request: what it can do, its default first. Never empty.
  std::vector<Admission> admission = {Admission::AsNeeded};
  bool prompts_apart = false;   ///< Prompts run alone, unless it is asked to mix them.
  bool recv_interval = false;   ///< Can look for new requests less often than every iteration.
  bool holds_prompts = false;   ///< Can hold prompts until all attention-DP ranks have some.
  bool prefix_caching = false;  ///< On by default.
  PreemptedBlocks preempted_blocks = PreemptedBlocks::None;
  [[nodiscard]] bool admits(Admission how) const {
    return std::find(admission.begin(), admission.end(), how) != admission.end();
  }
};

/// Sequences of captured decode graphs: first, first + step, ..., last; or doubling each time.
struct GraphRange {
  std::int64_t first = 1;
  std::int64_t last = 1;
  std::int64_t step = 1;
  bool doubling = false;
};

/// Decode graphs that the engine captures by default. No ranges: none, or not known.
struct EngineGraphs {
  std::vector<GraphRange> ranges;
  std::int64_t times_max_num_seqs = 1;  ///< None is larger than so many times max_num_seqs.
  bool captures_max_num_seqs = false;   ///< That too, unless the ranges end below it.
};

/// What two-batch overlap does when its flag is set and nothing else.
struct EngineOverlap {
  Support support = Support::Unknown;
  std::int64_t comm_sms = 20;
  std::int64_t decode_token_threshold = 2;
  std::int64_t prefill_token_threshold = 2;
  bool splits_attention = true;
};

/// A choice by the engine's own name: a text field of the scenario's deployment that stands for a
/// value of a common field.
struct EngineChoice {
  std::string name;   ///< "load_balance_method"
  std::string value;  ///< "shortest_queue"
  std::string field;  ///< "router"
  std::string means;  ///< "LEAST_LOAD"
};

/// How tokens get to their experts on other attention ranks.
enum class All2AllBackend {
  Auto,              ///< The engine's kernels for the batch: DeepEP's, or those over NVLink.
  DeepEpNormal,      ///< DeepEP's high-throughput kernels, for decoding too.
  AllGather,         ///< Every token to every rank, sums back by reduce-scatter.
  DeepEpLowLatency,  ///< DeepEP's low-latency kernels, for prompts too.
  AllReduce,         ///< Every token to every rank, all sums to every rank.
  NvLink,            ///< Once to each rank of one NVLink domain: FlashInfer's, TensorRT-LLM's.
};

/// Whether every token goes to every rank.
[[nodiscard]] constexpr bool gathers(All2AllBackend how) {
  return how == All2AllBackend::AllGather || how == All2AllBackend::AllReduce;
}

/// Over how many ranks an engine with attention data parallelism shares experts out.
enum class ExpertGroups {
  AllRanks,  ///< ep = tp * dp: each rank has whole experts.
  OneOrAll,  ///< Or ep 1: every rank has a part of every expert.
  Any,       ///< Or between: tp * dp / ep ranks split each expert.
};

struct Engine {
  std::string name;
  std::vector<std::string> aliases;
  std::string version;  ///< Of the defaults; empty: not known.
  /// Host time per iteration that no GPU work hides (scheduling, sampling, launch of the graph).
  Seconds iteration_overhead;
  std::string iteration_overhead_source;
  double gpu_memory_utilization = 0.9;  ///< The engine's default, a share as `memory_share` says.
  MemoryShare memory_share = MemoryShare::Total;
  std::int64_t max_num_seqs = 256;  ///< The engine's default, as the three below.
  std::int64_t max_num_batched_tokens = 8192;
  bool chunked_prefill = true;
  std::int64_t block_size = 16;       ///< Tokens per KV block, the engine's default.
  std::string kernels = "sglang";     ///< Engine of the curves that stand for its kernels.
  bool kernels_borrowed = true;       ///< They are another engine's.
  std::vector<SettingName> settings;  ///< Its own names beside the common ones.
  std::vector<EngineChoice> choices;  ///< Of the deployment, by its own names.
  /// How it gives requests to attention-DP ranks by default, a value of the scenario's `router`;
  /// empty: LEAST_LOAD.
  std::string attention_dp_router;
  std::vector<EngineSupport> families;
  EngineScheduling scheduling{};
  EngineGraphs graphs{};
  EngineOverlap overlap{};
  std::vector<All2AllBackend> all2all;  ///< That it has beside Auto.
  /// Auto takes NvLink where all ranks lie in one NVLink domain, of GPUs built for more than this.
  std::optional<std::int64_t> nvlink_exchange_beyond;
  ExpertGroups expert_groups = ExpertGroups::AllRanks;
  /// Batches beyond the low-latency buffers go in several exchanges, each with its experts.
  bool low_latency_in_passes = false;
  /// Tokens of a rank up to which shared experts run on a stream of their own beside the routed.
  std::int64_t shared_expert_stream_tokens = 0;
  /// Serves checkpoints of its maker's quantiser: FP8 by tensor, FP4 with a cache in FP8.
  bool own_checkpoints = false;
  std::string source;
};

}  // namespace moesim::catalog
