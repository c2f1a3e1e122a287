#include "validation/row_pools.h"

#include <cmath>

#include "validation/row_names.h"

namespace moesim::validation {
namespace {

/// GPUs of the pool that `letter` stands for.
std::optional<std::int64_t> pool_gpus(std::string_view text, char letter, std::int64_t instance,
                                      double gpus_of_node) {
  const auto number = number_before(text, std::string_view(&letter, 1));
  constexpr double kMost = 16'384;
  if (!number || *number < 1 || *number > kMost || *number != std::floor(*number)) {
    return std::nullopt;
  }
  const auto count = static_cast<std::int64_t>(*number);
  if (text.ends_with("nodes")) return std::llround(*number * gpus_of_node);
  if (text.ends_with("GPUs")) return count;
  const std::size_t open = text.find(letter) + 1;
  if (open < text.size() && text[open] == '(') {
    const std::string_view inside = text.substr(open, text.find(')', open) - open);
    if (const auto each = number_before(inside, "GPU")) return count * std::llround(*each);
  }
  return count * instance;
}

}  // namespace

std::optional<PublishedPools> published_pools(std::string_view pd_mode, std::int64_t instance,
                                              std::optional<double> gpus,
                                              std::optional<double> nodes) {
  constexpr std::string_view kWord = "disagg ";
  if (!pd_mode.starts_with(kWord) || instance < 1) return std::nullopt;
  const std::string_view text = pd_mode.substr(kWord.size());
  constexpr double kGpusOfNode = 8;
  const double of_node = gpus && nodes && *nodes > 0 ? *gpus / *nodes : kGpusOfNode;
  const auto prefill = pool_gpus(text, 'P', instance, of_node);
  const auto decode = pool_gpus(text, 'D', instance, of_node);
  if (!prefill || !decode || *prefill % instance != 0 || *decode % instance != 0) {
    return std::nullopt;
  }
  return PublishedPools{*prefill / instance, *decode / instance};
}

}  // namespace moesim::validation
