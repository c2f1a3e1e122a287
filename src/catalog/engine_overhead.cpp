#include "catalog/engine_overhead.h"

namespace moesim::catalog {

const EngineOverhead* find_overhead(const std::vector<EngineOverhead>& overheads,
                                    const std::string& engine, const std::string& architecture) {
  const EngineOverhead* any = nullptr;
  for (const EngineOverhead& overhead : overheads) {
    if (overhead.engine != engine) continue;
    if (overhead.architecture.empty()) {
      any = &overhead;
    } else if (architecture.starts_with(overhead.architecture)) {
      return &overhead;
    }
  }
  return any;
}

}  // namespace moesim::catalog
