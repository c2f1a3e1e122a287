#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "serving/context_law.h"
#include "serving/simulation.h"

namespace moesim::serving {
namespace {

std::size_t distinct_windows(const catalog::Model& model) {
  std::vector<std::pair<std::int64_t, std::int64_t>> seen;
  for (const catalog::LayerKind& kind : model.kinds) {
    const std::pair law{kind.attention.window, kind.attention.sparse_top_k};
    if (std::find(seen.begin(), seen.end(), law) == seen.end()) seen.push_back(law);
  }
  return seen.size();
}

}  // namespace

std::vector<DeploymentProblem> check_deployment(const Deployment& d) {
  std::vector<DeploymentProblem> problems;
  auto add = [&](std::string field, std::string message, std::string hint) {
    problems.push_back({std::move(field), std::move(message), std::move(hint)});
  };
  const plan::Layout& layout = d.layout;
  if (layout.gpus() > d.cluster.gpus()) {
    add("deployment",
        fmt::format("{} needs {} GPUs, the cluster has {}", plan::to_string(layout), layout.gpus(),
                    d.cluster.gpus()),
        "lower tp, pp, dp or replicas, or add nodes to the cluster");
  }
  if (d.model.is_moe() && layout.dp > 1 && layout.ep != layout.tp * layout.dp) {
    add("deployment.ep",
        fmt::format("ep {} with tp {} and dp {}: experts split over part of an attention-DP group "
                    "are not modelled",
                    layout.ep, layout.tp, layout.dp),
        fmt::format("set ep to {} (tp * dp)", layout.tp * layout.dp));
  }
  if (d.scheduler.max_num_batched_tokens < d.scheduler.max_num_seqs) {
    add("deployment.max_num_batched_tokens",
        fmt::format("{} is less than max_num_seqs {}", d.scheduler.max_num_batched_tokens,
                    d.scheduler.max_num_seqs),
        "every running sequence needs one token of the budget");
  }
  if (distinct_windows(d.model) > kMaxContextLaws) {
    add("model", fmt::format("{} different attention windows", distinct_windows(d.model)),
        fmt::format("at most {} are modelled", kMaxContextLaws));
  }
  return problems;
}

}  // namespace moesim::serving
