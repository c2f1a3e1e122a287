// The layouts engines are run with on a number of GPUs, best first, and the smallest that fit.
//
// Rule:  tensor parallelism as wide as heads allow, at most 8 (one node); further GPUs are pipeline
// stages. A model with routed experts may also spread its experts over those tp ranks (ep = tp), or
// run attention data parallel with its experts over all GPUs (ep = tp * dp). Order: verdict, then
// KV capacity, then fewer stages, then wider tp. docs/models/layout.md.
// Omits: speed; `moesim sweep` compares that.
// Layer: plan.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "plan/layout.h"
#include "plan/memory.h"

namespace moesim::plan {

/// Degrees the user has fixed; the others are chosen.
struct LayoutRequest {
  std::optional<std::int64_t> tp = {};
  std::optional<std::int64_t> pp = {};
  std::optional<std::int64_t> dp = {};
  std::optional<std::int64_t> ep = {};
};

struct FittingLayout {
  Layout layout;
  MemoryReport report;
};

/// Widest tensor parallelism chosen unasked: the GPUs of a usual node.
inline constexpr std::int64_t kWidestUsualTp = 8;

/// Layouts of one instance on exactly `gpus` GPUs that can be built for the model; empty if none.
[[nodiscard]] std::vector<Layout> usual_layouts(const catalog::Model& model, std::int64_t gpus,
                                                const LayoutRequest& request,
                                                std::int64_t redundant_experts);

/// The same with their memory, best first.
[[nodiscard]] std::vector<FittingLayout> ranked_layouts(const catalog::Model& model,
                                                        const catalog::Precision& precision,
                                                        const catalog::Gpu& gpu, std::int64_t gpus,
                                                        const LayoutRequest& request,
                                                        const MemoryOptions& options);

/// Layouts with the fewest GPUs that fit (verdict Fits), at most `limit`, smallest first, then in
/// the order of ranked_layouts(). Looks at 1, 2, 4 and 8 GPUs and then at whole nodes of 8, up to
/// `max_gpus` GPUs of one instance. For "does not fit" answers.
[[nodiscard]] std::vector<FittingLayout> smallest_fitting_layouts(
    const catalog::Model& model, const catalog::Precision& precision, const catalog::Gpu& gpu,
    const MemoryOptions& options, std::int64_t max_gpus, std::size_t limit);

}  // namespace moesim::plan
