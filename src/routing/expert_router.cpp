#include "routing/expert_router.h"

#include <algorithm>

#include "core/check.h"
#include "routing/alias_table.h"
#include "routing/marginal_fit.h"

namespace moesim::routing {
namespace {

/// Number of ways to keep `kept` of `groups`, or kMaxGroupChoices + 1 if it is more than that.
std::int64_t choices_of(std::int64_t groups, std::int64_t kept) {
  std::int64_t count = 1;
  for (std::int64_t i = 1; i <= std::min(kept, groups - kept); ++i) {
    count = count * (groups - i + 1) / i;
    if (count > kMaxGroupChoices) return kMaxGroupChoices + 1;
  }
  return count;
}

/// All ways to keep `kept` of `groups`, in lexicographic order.
std::vector<std::uint8_t> list_choices(std::int64_t groups, std::int64_t kept) {
  std::vector<std::uint8_t> list;
  std::vector<std::uint8_t> now(static_cast<std::size_t>(kept));
  for (std::size_t i = 0; i < now.size(); ++i) now[i] = static_cast<std::uint8_t>(i);
  for (;;) {
    list.insert(list.end(), now.begin(), now.end());
    std::size_t i = now.size();
    while (i > 0 && now[i - 1] + static_cast<std::int64_t>(now.size() - i) + 1 == groups) --i;
    if (i == 0) return list;
    ++now[i - 1];
    for (; i < now.size(); ++i) now[i] = static_cast<std::uint8_t>(now[i - 1] + 1);
  }
}

}  // namespace

std::vector<std::string> shape_errors(const RoutingShape& shape) {
  std::vector<std::string> errors;
  const auto need = [&](bool condition, const std::string& what) {
    if (!condition) errors.push_back(what);
    return condition;
  };
  need(shape.moe_layers >= 1, "needs at least one MoE layer");
  need(shape.experts >= 1 && shape.experts <= kMaxExperts,
       "experts must lie between 1 and " + std::to_string(kMaxExperts));
  need(shape.top_k >= 1 && shape.top_k <= kMaxTopK,
       "experts per token must lie between 1 and " + std::to_string(kMaxTopK));
  const bool groups_valid =
      need(shape.groups >= 1 && shape.groups <= 64, "expert groups must lie between 1 and 64") &&
      need(shape.top_groups >= 1 && shape.top_groups <= shape.groups,
           "groups kept per token must lie between 1 and the number of groups");
  if (!groups_valid || !errors.empty()) return errors;
  need(shape.experts % shape.groups == 0, "experts must divide evenly into the groups");
  need(shape.top_k >= shape.top_groups, "a token needs at least one expert per group it keeps");
  need(shape.top_k <= shape.experts / shape.groups * shape.top_groups,
       "experts per token exceed the experts of the groups it keeps");
  need(choices_of(shape.groups, shape.top_groups) <= kMaxGroupChoices,
       "too many ways to keep " + std::to_string(shape.top_groups) + " of " +
           std::to_string(shape.groups) + " groups");
  return errors;
}

ExpertRouter::ExpertRouter(const RoutingShape& shape, const Popularity& popularity)
    : shape_(shape) {
  MOESIM_CHECK(shape_errors(shape).empty(), "routing shape was refused before");
  MOESIM_CHECK(std::ssize(popularity.share) == shape.moe_layers * shape.experts,
               "a popularity has one share per layer and expert");
  choice_groups_ = list_choices(shape.groups, shape.top_groups);
  const auto choices = std::ssize(choice_groups_) / shape.top_groups;

  layout_.choice_bits = alias_bits(choices);
  layout_.expert_bits = alias_bits(shape.experts / shape.groups);
  layout_.group_bits = alias_bits(shape.top_groups);
  layout_.experts = std::size_t{1} << layout_.choice_bits;
  layout_.groups_of_choice =
      layout_.experts + (static_cast<std::size_t>(shape.groups) << layout_.expert_bits);
  layout_.words =
      layout_.groups_of_choice + (static_cast<std::size_t>(choices) << layout_.group_bits);

  const auto layers = static_cast<std::size_t>(shape.moe_layers);
  const auto experts = static_cast<std::size_t>(shape.experts);
  words_.resize(layers * layout_.words);
  weights_.reserve(layers * experts);
  for (std::size_t layer = 0; layer < layers; ++layer) {
    const auto share = std::span(popularity.share).subspan(layer * experts, experts);
    const FittedWeights fitted = fit_weights(shape, share);
    deviation_ = std::max(deviation_, fitted.deviation);
    weights_.insert(weights_.end(), fitted.weight.begin(), fitted.weight.end());
    build_layer(fitted.weight, std::span(words_).subspan(layer * layout_.words, layout_.words));
  }
}

std::span<const double> ExpertRouter::weights(std::int64_t layer) const {
  const auto experts = static_cast<std::size_t>(shape_.experts);
  return std::span(weights_).subspan(static_cast<std::size_t>(layer) * experts, experts);
}

void ExpertRouter::build_layer(std::span<const double> weight,
                               std::span<std::uint32_t> words) const {
  const auto groups = static_cast<std::size_t>(shape_.groups);
  const auto kept = static_cast<std::size_t>(shape_.top_groups);
  const std::size_t size = weight.size() / groups;
  const std::size_t choices = choice_groups_.size() / kept;

  const std::vector<double> odds = group_odds(shape_, weight);
  std::vector<double> choice_weight(choices, 1.0);
  for (std::size_t i = 0; i < choice_groups_.size(); ++i) {
    choice_weight[i / kept] *= odds[choice_groups_[i]];
  }
  build_alias_table(choice_weight, words.first(layout_.experts));

  std::vector<double> group_weight(groups, 0.0);
  for (std::size_t g = 0; g < groups; ++g) {
    const auto members = weight.subspan(g * size, size);
    for (const double w : members) group_weight[g] += w;
    const auto table = words.subspan(layout_.experts + (g << layout_.expert_bits),
                                     std::size_t{1} << layout_.expert_bits);
    build_alias_table(members, table);
    for (std::uint32_t& word : table) word += static_cast<std::uint32_t>(g * size);
  }
  // Groups inside a choice: threshold, then the column's own group, then the other group.
  std::vector<double> inside(kept);
  for (std::size_t c = 0; c < choices; ++c) {
    const std::uint8_t* members = &choice_groups_[c * kept];
    for (std::size_t i = 0; i < kept; ++i) inside[i] = group_weight[members[i]];
    const auto table = words.subspan(layout_.groups_of_choice + (c << layout_.group_bits),
                                     std::size_t{1} << layout_.group_bits);
    build_alias_table(inside, table);
    for (std::size_t i = 0; i < table.size(); ++i) {
      const std::uint32_t own = members[std::min(i, kept - 1)];
      table[i] = (table[i] & 0xffff0000U) | own << 8 | members[table[i] & 0xffffU];
    }
  }
}

void ExpertRouter::complete(std::int64_t layer, std::span<const std::uint8_t> kept,
                            RandomStream& stream, std::span<std::uint16_t> chosen,
                            std::size_t count) const {
  const std::span<const double> weight = weights(layer);
  const std::size_t size = weight.size() / static_cast<std::size_t>(shape_.groups);
  const auto is_chosen = [&](std::size_t e) {
    const auto end = chosen.begin() + static_cast<std::ptrdiff_t>(count);
    return std::find(chosen.begin(), end, e) != end;
  };
  for (; count < chosen.size(); ++count) {
    double sum = 0.0;
    for (const std::uint8_t g : kept) {
      for (std::size_t e = g * size; e < (g + 1) * size; ++e) {
        if (!is_chosen(e)) sum += weight[e];
      }
    }
    double left = stream.uniform() * sum;
    std::size_t pick = 0;
    for (const std::uint8_t g : kept) {
      for (std::size_t e = g * size; e < (g + 1) * size && left >= 0.0; ++e) {
        if (is_chosen(e)) continue;
        pick = e;  // The last one, should rounding leave a little.
        left -= weight[e];
      }
    }
    chosen[count] = static_cast<std::uint16_t>(pick);
  }
}

}  // namespace moesim::routing
