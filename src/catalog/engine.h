// What each serving engine supports per model family, and its overhead per iteration.
//
// Source of each entry: scenarios/catalog/engines.txtpb.
// Layer: catalog.
#pragma once

#include <cstdint>
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
  std::string source;
  std::string note;
};

struct Engine {
  std::string name;
  std::vector<std::string> aliases;
  /// Host time per iteration that no GPU work hides (scheduling, sampling, launch of the graph).
  Seconds iteration_overhead;
  std::string iteration_overhead_source;
  double gpu_memory_utilization = 0.9;  ///< The engine's default.
  std::int64_t block_size = 16;         ///< Tokens per KV block, the engine's default.
  std::string kernels = "sglang";       ///< Engine of the curves that stand for its kernels.
  bool kernels_borrowed = true;         ///< They are another engine's.
  std::vector<EngineSupport> families;
  std::string source;
};

}  // namespace moesim::catalog
