#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "operators/attention.h"
#include "serving/context_law.h"
#include "serving/instance_cost.h"
#include "serving/simulation.h"

namespace moesim::serving {
namespace {

std::size_t distinct_laws(const Deployment& d) {
  std::vector<ContextLaw> laws;
  for (const catalog::LayerKind& kind : d.model.kinds) {
    const operators::AttentionTimer timer(kind.attention, 1, d.precision.kv_element, d.cluster.gpu,
                                          d.efficiency.prefill_attention,
                                          d.efficiency.decode_attention);
    const ContextLaw law = context_law(kind.attention, timer);
    // Layers that hide part of the context have it summed as a whole as well.
    for (const ContextLaw& each : {law, hides_context(law) ? ContextLaw{} : law}) {
      if (std::find(laws.begin(), laws.end(), each) == laws.end()) laws.push_back(each);
    }
  }
  return laws.size();
}

/// Of every stage of every replica.
bool in_one_scale_up_domain(const Deployment& d) {
  const plan::Layout& layout = d.layout;
  if (layout.gpus() > d.cluster.gpus()) return true;  // Told of elsewhere.
  for (std::int64_t replica = 0; replica < layout.replicas; ++replica) {
    for (const std::vector<GpuId>& group : stage_groups(d, replica)) {
      if (d.cluster.scale_up_domain_of(group.front()) !=
          d.cluster.scale_up_domain_of(group.back())) {
        return false;
      }
    }
  }
  return true;
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
    const bool can = d.engine.expert_groups == catalog::ExpertGroups::Any ||
                     (d.engine.expert_groups == catalog::ExpertGroups::OneOrAll && layout.ep == 1);
    const std::string what =
        fmt::format("ep {} with tp {} and dp {} splits each expert over {} GPUs", layout.ep,
                    layout.tp, layout.dp, layout.expert_tp());
    const std::string whole = fmt::format("set ep to {} (tp * dp)", layout.tp * layout.dp);
    if (!can) {
      add("deployment.ep", fmt::format("{}, which {} does not", what, d.engine.name), whole);
    } else if (!catalog::gathers(d.all2all)) {
      add("deployment.ep", what + ": all-to-all kernels send tokens to whole experts alone",
          whole + ", or all2all_backend to ALLGATHER_REDUCESCATTER");
    } else if (d.overlap.mode == OverlapMode::TwoBatch) {
      add("deployment.overlap", what + ": two-batch overlap needs whole experts on each",
          whole + ", or leave overlap out");
    }
  }
  if (d.all2all == catalog::All2AllBackend::NvLink) {
    if (!in_one_scale_up_domain(d)) {
      add("deployment.all2all_backend",
          fmt::format("FLASHINFER_ALL2ALLV runs over NVLink: tp {} times dp {} GPUs lie in several "
                      "NVLink domains",
                      layout.tp, layout.dp),
          "use AUTO, or GPUs of one domain");
    } else if (d.overlap.mode == OverlapMode::TwoBatch) {
      add("deployment.overlap", "two-batch overlap needs DeepEP's kernels",
          "set all2all_backend to AUTO, or leave overlap out");
    }
  }
  if (const auto& given = d.experts.placement.given) {
    const std::int64_t slots = given->shape.experts + d.experts.redundant_experts;
    if (given->shape.ranks != layout.ep || given->shape.slots() != slots) {
      add("experts.placement.file",
          fmt::format("places {} slots on {} ranks, the deployment has {} slots on ep {}",
                      given->shape.slots(), given->shape.ranks, slots, layout.ep),
          "use a placement made for this layout, or name a strategy");
    }
  }
  const Speculation& speculation = d.scheduler.speculation;
  const std::int64_t queries = 1 + speculation.window();
  if (queries > 1 && d.scheduler.max_num_batched_tokens < queries * d.scheduler.max_num_seqs) {
    add("deployment.speculative",
        fmt::format("{} sequences of {} tokens to verify are more than max_num_batched_tokens {}",
                    d.scheduler.max_num_seqs, queries, d.scheduler.max_num_batched_tokens),
        "raise max_num_batched_tokens, or lower max_num_seqs or num_speculative_tokens");
  }
  if (speculation.method == DraftMethod::Mtp && d.model.mtp_modules == 0) {
    add("deployment.speculative.method",
        fmt::format("{} has no multi-token-prediction module", d.model.name),
        "use NGRAM, or a model that has one");
  }
  if (d.scheduler.max_num_batched_tokens < d.scheduler.max_num_seqs) {
    add("deployment.scheduler.max_num_batched_tokens",
        fmt::format("{} is less than max_num_seqs {}", d.scheduler.max_num_batched_tokens,
                    d.scheduler.max_num_seqs),
        "every running sequence needs one token of the budget");
  }
  if (d.scheduler.max_num_seqs < layout.pp) {
    add("deployment.scheduler.max_num_seqs",
        fmt::format("{} is less than pp {}", d.scheduler.max_num_seqs, layout.pp),
        "each pipeline stage needs a micro-batch of at least one sequence");
  }
  if (const std::size_t laws = distinct_laws(d); laws > kMaxContextLaws) {
    add("model", fmt::format("{} different attention windows", laws),
        fmt::format("at most {} are modelled", kMaxContextLaws));
  }
  return problems;
}

}  // namespace moesim::serving
