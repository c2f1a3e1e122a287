#include "plan/usual_layouts.h"

#include <algorithm>
#include <tuple>

#include "core/check.h"

namespace moesim::plan {
namespace {

/// Divisors of `gpus` a degree may take: the one asked for, or all up to `widest`, largest first.
std::vector<std::int64_t> degrees(std::int64_t gpus, std::optional<std::int64_t> asked,
                                  std::int64_t widest) {
  std::vector<std::int64_t> out;
  if (asked) {
    if (*asked >= 1 && gpus % *asked == 0) out.push_back(*asked);
    return out;
  }
  for (std::int64_t d = std::min(gpus, widest); d >= 1; --d) {
    if (gpus % d == 0) out.push_back(d);
  }
  return out;
}

/// Expert parallelism engines use beside tp and dp: none or all of the tp ranks without attention
/// data parallelism, the whole expert group with it.
std::vector<std::int64_t> expert_degrees(const catalog::Model& model, std::int64_t tp,
                                         std::int64_t dp, std::optional<std::int64_t> asked) {
  if (asked) return {*asked};
  if (!model.is_moe()) return {1};
  if (dp > 1) return {tp * dp};
  return tp > 1 ? std::vector<std::int64_t>{1, tp} : std::vector<std::int64_t>{1};
}

/// Without a wish for tp or pp, only the widest tp makes pipelines.
void keep_fewest_stages(std::vector<Layout>& layouts, const LayoutRequest& request) {
  if (request.tp || request.pp) return;
  std::int64_t fewest = 0;
  for (const Layout& l : layouts) {
    if (l.dp == 1 && (fewest == 0 || l.pp < fewest)) fewest = l.pp;
  }
  std::erase_if(layouts, [&](const Layout& l) { return l.dp == 1 && l.pp != fewest; });
}

bool is_better(const FittingLayout& a, const FittingLayout& b) {
  const auto key = [](const FittingLayout& f) {
    return std::make_tuple(f.report.verdict, -f.report.kv_capacity_tokens,
                           -f.report.tight_kv_capacity_tokens, f.report.tight_shortfall,
                           f.layout.pp, -f.layout.tp, f.layout.ep);
  };
  return key(a) < key(b);
}

}  // namespace

std::vector<Layout> usual_layouts(const catalog::Model& model, std::int64_t gpus,
                                  const LayoutRequest& request, std::int64_t redundant_experts) {
  MOESIM_CHECK(gpus >= 1, "a layout has no GPU");
  std::vector<Layout> layouts;
  for (const std::int64_t tp : degrees(gpus, request.tp, kWidestUsualTp)) {
    for (const std::int64_t pp : degrees(gpus / tp, request.pp, gpus)) {
      const std::int64_t dp = gpus / tp / pp;
      if (request.dp && *request.dp != dp) continue;
      // A grid of both stages and attention ranks only on request; attention ranks need experts.
      if (dp > 1 && pp > 1 && !request.pp && !request.dp) continue;
      if (dp > 1 && !model.is_moe()) continue;
      for (const std::int64_t ep : expert_degrees(model, tp, dp, request.ep)) {
        const Layout layout{.tp = tp, .pp = pp, .dp = dp, .ep = ep};
        if (dp > 1 && ep == 1) continue;  // Independent instances, not one.
        if (check_layout(layout, model, redundant_experts).empty()) layouts.push_back(layout);
      }
    }
  }
  keep_fewest_stages(layouts, request);
  return layouts;
}

std::vector<FittingLayout> ranked_layouts(const catalog::Model& model,
                                          const catalog::Precision& precision,
                                          const catalog::Gpu& gpu, std::int64_t gpus,
                                          const LayoutRequest& request,
                                          const MemoryOptions& options) {
  std::vector<FittingLayout> ranked;
  for (const Layout& layout : usual_layouts(model, gpus, request, options.redundant_experts)) {
    ranked.push_back(
        {.layout = layout, .report = plan_memory(model, precision, gpu, layout, options)});
  }
  std::stable_sort(ranked.begin(), ranked.end(), is_better);
  return ranked;
}

std::vector<FittingLayout> smallest_fitting_layouts(const catalog::Model& model,
                                                    const catalog::Precision& precision,
                                                    const catalog::Gpu& gpu,
                                                    const MemoryOptions& options,
                                                    std::int64_t max_gpus, std::size_t limit) {
  constexpr std::int64_t kNode = 8;
  std::vector<FittingLayout> found;
  for (std::int64_t gpus = 1; gpus <= max_gpus && found.size() < limit;
       gpus = gpus < kNode ? 2 * gpus : gpus + kNode) {
    for (FittingLayout& candidate : ranked_layouts(model, precision, gpu, gpus, {}, options)) {
      if (candidate.report.verdict == Verdict::Fits && found.size() < limit) {
        found.push_back(std::move(candidate));
      }
    }
  }
  return found;
}

}  // namespace moesim::plan
