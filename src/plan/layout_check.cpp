#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "plan/layout.h"

namespace moesim::plan {
namespace {

using Problems = std::vector<LayoutProblem>;

/// "use one of 1, 2, 4, 8": the degrees that divide `whole`, the first dozen of them.
std::string divisors_hint(std::int64_t whole) {
  constexpr int kShown = 12;
  std::string text = "use one of ";
  int shown = 0;
  for (std::int64_t d = 1; d <= whole; ++d) {
    if (whole % d != 0) continue;
    if (shown == kShown) return text + ", ...";
    text += (shown > 0 ? ", " : "") + std::to_string(d);
    ++shown;
  }
  return text;
}

/// One problem for each text: layers of one kind repeat, their problems need not.
void add_once(Problems& problems, LayoutProblem problem) {
  const bool known = std::any_of(problems.begin(), problems.end(), [&](const LayoutProblem& p) {
    return p.field == problem.field && p.message == problem.message;
  });
  if (!known) problems.push_back(std::move(problem));
}

void require_divides(std::int64_t degree, std::int64_t whole, const std::string& field,
                     const std::string& what, Problems& problems) {
  if (whole % degree == 0) return;
  add_once(problems,
           {.field = field,
            .message = fmt::format("{} {} do not divide over {} {}", whole, what, field, degree),
            .hint = divisors_hint(whole)});
}

void check_degrees(const Layout& layout, Problems& problems) {
  const std::pair<const char*, std::int64_t> degrees[] = {{"tp", layout.tp},
                                                          {"pp", layout.pp},
                                                          {"dp", layout.dp},
                                                          {"ep", layout.ep},
                                                          {"replicas", layout.replicas}};
  for (const auto& [field, degree] : degrees) {
    if (degree >= 1) continue;
    problems.push_back({.field = field,
                        .message = fmt::format("must be at least 1, got {}", degree),
                        .hint = "1 means: not split this way"});
  }
}

void check_attention(const catalog::Attention& a, std::int64_t tp, Problems& problems) {
  if (a.heads > 0) require_divides(tp, a.heads, "tp", "attention heads", problems);
  const bool has_kv_heads = a.kind == catalog::AttentionKind::Gqa && a.kv_heads > 0;
  if (has_kv_heads && tp % a.kv_heads != 0 && a.kv_heads % tp != 0) {
    add_once(problems,
             {.field = "tp",
              .message = fmt::format("{} key-value heads neither divide over tp {} nor repeat "
                                     "evenly on it",
                                     a.kv_heads, tp),
              .hint = fmt::format("use a divisor or a multiple of {}", a.kv_heads)});
  }
}

void check_feed_forward(const catalog::FeedForward& f, const Layout& layout, std::int64_t redundant,
                        Problems& problems) {
  require_divides(layout.tp, f.dense_intermediate, "tp", "columns of the dense feed-forward block",
                  problems);
  if (!f.is_moe()) return;
  require_divides(layout.tp, f.shared_experts * f.shared_intermediate, "tp",
                  "columns of the shared experts", problems);
  const std::int64_t copies = f.routed_experts + redundant;
  if (copies > f.routed_experts * layout.ep) {
    add_once(problems, {.field = "redundant_experts",
                        .message = fmt::format(
                            "{} copies of {} experts put two of one expert on a GPU of ep {}",
                            redundant, f.routed_experts, layout.ep),
                        .hint = fmt::format("use at most {}", f.routed_experts * (layout.ep - 1))});
  }
  require_divides(layout.ep, copies, "ep", redundant > 0 ? "experts and copies" : "experts",
                  problems);
  if (layout.tp * layout.dp % layout.ep != 0) return;  // Reported for the layout as a whole.
  if (f.expert_intermediate % layout.expert_tp() != 0) {
    add_once(problems,
             {.field = "ep",
              .message = fmt::format("{} columns of an expert do not divide over tp * dp / ep = {}",
                                     f.expert_intermediate, layout.expert_tp()),
              .hint = "raise ep, or lower tp or dp"});
  }
}

void check_expert_group(const Layout& layout, bool is_moe, std::int64_t redundant,
                        Problems& problems) {
  if (redundant < 0) {
    problems.push_back({.field = "redundant_experts",
                        .message = fmt::format("must not be negative, got {}", redundant),
                        .hint = "0 means: one copy of each expert"});
  }
  if (!is_moe) {
    if (layout.ep > 1) {
      problems.push_back({.field = "ep",
                          .message = fmt::format(
                              "the model has no routed experts to spread over ep {}", layout.ep),
                          .hint = "use ep 1; tp, pp and replicas apply to a dense model"});
    }
    if (redundant > 0) {
      problems.push_back({.field = "redundant_experts",
                          .message = "the model has no routed experts to copy",
                          .hint = "use 0"});
    }
  } else if (layout.tp * layout.dp % layout.ep != 0) {
    problems.push_back({.field = "ep",
                        .message = fmt::format("ep {} does not divide tp * dp = {}", layout.ep,
                                               layout.tp * layout.dp),
                        .hint = divisors_hint(layout.tp * layout.dp)});
  }
}

void check_stages(const Layout& layout, const catalog::Model& model,
                  std::vector<LayoutProblem>& problems) {
  const std::vector<std::int64_t>& layers = layout.layers_per_stage;
  if (layers.empty()) return;
  const auto add = [&](std::string message, std::string hint) {
    problems.push_back(
        {.field = "layers_per_stage", .message = std::move(message), .hint = std::move(hint)});
  };
  if (std::ssize(layers) != layout.pp) {
    add(fmt::format("{} numbers for {} stages", layers.size(), layout.pp),
        fmt::format("give {} numbers, one for each stage", layout.pp));
    return;
  }
  const std::int64_t sum = std::accumulate(layers.begin(), layers.end(), std::int64_t{0});
  if (*std::min_element(layers.begin(), layers.end()) < 1) {
    add("a stage without a layer", "give each stage at least 1");
  } else if (sum != model.layers()) {
    add(fmt::format("{} layers in all, {} has {}", sum, model.name, model.layers()),
        fmt::format("make them sum to {}", model.layers()));
  }
}

}  // namespace

std::vector<LayoutProblem> check_layout(const Layout& given, const catalog::Model& model,
                                        std::int64_t redundant_experts) {
  Problems problems;
  check_degrees(given, problems);
  if (!problems.empty()) return problems;
  const Layout layout = normalised(given);
  check_expert_group(layout, model.is_moe(), redundant_experts, problems);
  if (layout.pp > model.layers()) {
    problems.push_back(
        {.field = "pp",
         .message = fmt::format("{} layers do not fill {} stages", model.layers(), layout.pp),
         .hint = fmt::format("use at most {}", model.layers())});
  }
  check_stages(layout, model, problems);
  const std::int64_t redundant = std::max<std::int64_t>(redundant_experts, 0);
  for (const catalog::LayerRun& run : model.runs) {
    const catalog::LayerKind& kind = model.kinds[static_cast<std::size_t>(run.kind)];
    check_attention(kind.attention, layout.tp, problems);
    check_feed_forward(kind.feed_forward, layout, redundant, problems);
  }
  return problems;
}

}  // namespace moesim::plan
