#include "report/prefix_figures.h"

#include <utility>

#include <fmt/format.h>

#include "report/message_json.h"
#include "report/number_text.h"

namespace moesim::report {
namespace {

double share(std::int64_t tokens, std::int64_t of) {
  return of == 0 ? 0.0 : static_cast<double>(tokens) / static_cast<double>(of);
}

std::int64_t in(const serving::PrefixCounts& found, serving::CacheTier tier) {
  return found.found[static_cast<std::size_t>(tier)];
}

std::int64_t all(const serving::PrefixCounts& found) {
  std::int64_t sum = 0;
  for (const std::int64_t tokens : found.found) sum += tokens;
  return sum;
}

}  // namespace

std::string prefix_text(const serving::PrefixCounts& found) {
  using serving::CacheTier;
  std::string text =
      fmt::format("{:.1f} % of input tokens were cached", 100.0 * share(all(found), found.asked));
  std::string tiers;
  for (const auto& [tier, name] :
       {std::pair{CacheTier::Gpu, "GPU"}, std::pair{CacheTier::Host, "host"},
        std::pair{CacheTier::Disk, "disk"}}) {
    if (in(found, tier) == 0) continue;
    tiers += fmt::format("{}{} {:.1f} %", tiers.empty() ? "" : ", ", name,
                         100.0 * share(in(found, tier), found.asked));
  }
  if (!tiers.empty()) text += " (" + tiers + ")";
  text += fmt::format("; {} tokens not computed", count_text(all(found) + found.computed_again));
  return text;
}

void fill_prefixes(const serving::PrefixCounts& from, proto::PrefixCacheReport& to) {
  using serving::CacheTier;
  to.set_hit_ratio(rounded(share(all(from), from.asked)));
  to.set_gpu_hit_ratio(rounded(share(in(from, CacheTier::Gpu), from.asked)));
  to.set_host_hit_ratio(rounded(share(in(from, CacheTier::Host), from.asked)));
  to.set_disk_hit_ratio(rounded(share(in(from, CacheTier::Disk), from.asked)));
  to.set_input_tokens(static_cast<double>(from.asked));
  to.set_tokens_saved(static_cast<double>(all(from) + from.computed_again));
}

}  // namespace moesim::report
