// A parallelism strategy and the grid of ranks it makes.
//
// One instance holds the model once: tp * pp * dp GPUs. `tp` splits each layer over neighbours,
// `pp` splits the layers into stages, `dp` is attention data parallelism inside an expert-parallel
// group: dp attention ranks step together. The tp * dp GPUs of one stage form the expert group;
// `ep` of them hold different experts (ep divides tp * dp; the rest, tp * dp / ep, split each
// expert). ep = 1 with dp > 1 is only a way to write dp independent instances: normalise() says so.
// Rank order (engines' own): rank = (stage * dp + dp_rank) * tp + tp_rank; ranks go to GPUs in
// order. Layer: plan.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalog/model.h"
#include "core/ids.h"

namespace moesim::plan {

struct Layout {
  std::int64_t tp = 1;
  std::int64_t pp = 1;
  std::int64_t dp = 1;
  std::int64_t ep = 1;
  std::int64_t replicas = 1;  ///< Independent instances of the whole.
  /// Of each pipeline stage; empty: as evenly as they divide.
  std::vector<std::int64_t> layers_per_stage{};
  /// ep 1 with dp above 1 means experts split over all tp * dp GPUs, not replicas.
  bool splits_every_expert = false;
  [[nodiscard]] std::int64_t gpus_per_instance() const { return tp * pp * dp; }
  [[nodiscard]] std::int64_t gpus() const { return gpus_per_instance() * replicas; }
  /// Ways each expert's matrices are split (tp * dp / ep).
  [[nodiscard]] std::int64_t expert_tp() const { return tp * dp / ep; }
  [[nodiscard]] RankId rank(std::int64_t stage, std::int64_t dp_rank, std::int64_t tp_rank) const {
    return RankId{(stage * dp + dp_rank) * tp + tp_rank};
  }
  friend bool operator==(const Layout&, const Layout&) = default;
};

/// "tp2 pp1 dp16 ep32 x2".
[[nodiscard]] std::string to_string(const Layout& layout);

/// Same GPUs, ep = 1 and dp > 1 rewritten as replicas unless every expert is split.
[[nodiscard]] Layout normalised(Layout layout);

/// Why a layout cannot be built for a model, one entry per reason; empty if it can.
struct LayoutProblem {
  std::string field;    ///< "tp", "pp", "dp", "ep"
  std::string message;  ///< "256 experts do not divide over ep 7"
  std::string hint;     ///< "use one of 1, 2, 4, 8, ..."
};
/// `redundant_experts` is added to the model's experts before dividing.
[[nodiscard]] std::vector<LayoutProblem> check_layout(const Layout& layout,
                                                      const catalog::Model& model,
                                                      std::int64_t redundant_experts);

/// Layers of each pipeline stage: [first, last) per stage; the remainder goes to the first stages.
struct StageLayers {
  std::int64_t first = 0;
  std::int64_t last = 0;
};
[[nodiscard]] std::vector<StageLayers> split_layers(std::int64_t layers, std::int64_t stages);
/// The same as the layout says. Precondition: check_layout() found nothing.
[[nodiscard]] std::vector<StageLayers> split_layers(const catalog::Model& model,
                                                    const Layout& layout);

}  // namespace moesim::plan
