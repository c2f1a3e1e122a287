#include "report/fabric_use.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "fabric.pb.h"
#include "report/fabric_report.h"
#include "report/message_json.h"
#include "report/number_text.h"
#include "report/step_names.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

using namespace moesim::literals;
using serving::BusyLink;
using serving::FabricUse;
using serving::KindUse;
using serving::Limit;

std::string gigabytes(Bytes bytes) { return number_text(bytes / 1.0_GB, 5); }

/// Share of the time by what limits it, all parts together.
std::array<double, serving::kLimits> limits_of(const serving::TimeBreakdown& time) {
  std::array<double, serving::kLimits> sum{};
  for (const auto& part : time.limits) {
    for (std::size_t l = 0; l < sum.size(); ++l) sum[l] += part[l];
  }
  return sum;
}

}  // namespace

std::string fabric_use_text(const FabricUse& use) {
  if (use.busiest.empty()) return "No byte moved between GPUs.\n";
  std::string page = left("links", 24) + right("number", 9) + right("used", 9) +
                     right("GB carried", 13) + right("mean use", 11) + right("most", 11) +
                     right("exchanging", 13) + "\n";
  for (const KindUse& kind : use.kinds) {
    page += left(kind.name, 24) + right(count_text(kind.links), 9) +
            right(count_text(kind.used), 9) + right(gigabytes(kind.carried), 13) +
            right(percent_text(kind.mean), 11) + right(percent_text(kind.most), 11) +
            right(percent_text(kind.exchanging), 13) + "\n";
  }
  page += "\n" + left("busiest", 53) + right("GB carried", 13) + right("use", 11) +
          right("exchanging", 13) + "\n";
  for (const BusyLink& link : use.busiest) {
    page += left(link.name, 53) + right(gigabytes(link.use.carried), 13) +
            right(percent_text(link.use.utilisation), 11) +
            right(percent_text(link.use.exchanging), 13) + "\n";
  }
  return page;
}

std::string bottleneck_text(const FabricUse& use, const serving::TimeBreakdown& time) {
  const std::array<double, serving::kLimits> limits = limits_of(time);
  const auto at =
      static_cast<std::size_t>(std::max_element(limits.begin(), limits.end()) - limits.begin());
  const double links = limits[static_cast<std::size_t>(Limit::ScaleUp)] +
                       limits[static_cast<std::size_t>(Limit::ScaleOut)];
  const double most = limits[at];
  if (use.busiest.empty()) {
    return fmt::format("no link: nothing moved between GPUs; {} of the time is bound by {}",
                       percent_text(most), kLimitNames[at]);
  }
  const BusyLink& worst = use.busiest.front();
  const std::string named =
      fmt::format("{} ({}), used to {} of {} while exchanging and to {} over the run", worst.name,
                  worst.kind, percent_text(worst.use.exchanging), rate_text(worst.bandwidth),
                  percent_text(worst.use.utilisation));
  if (links >= most) {
    return fmt::format("{}; links limit {} of the time, more than anything else", named,
                       percent_text(links));
  }
  return fmt::format("not links, which limit {} of the time, but {} with {}; the busiest is {}",
                     percent_text(links), kLimitNames[at], percent_text(most), named);
}

void write_use(const FabricUse& use, const serving::TimeBreakdown& time, std::size_t shown,
               proto::FabricUse& out) {
  out.set_duration_s(rounded(use.duration / kSecond));
  for (const KindUse& kind : use.kinds) {
    proto::FabricKindUse& to = *out.add_kinds();
    to.set_kind(kind.name);
    to.set_links(static_cast<std::int32_t>(kind.links));
    to.set_used(static_cast<std::int32_t>(kind.used));
    to.set_carried_gb(rounded(kind.carried / 1.0_GB));
    to.set_mean_utilisation(rounded(kind.mean));
    to.set_most_utilisation(rounded(kind.most));
    to.set_most_while_exchanging(rounded(kind.exchanging));
    to.set_busiest(kind.busiest);
  }
  for (std::size_t i = 0; i < std::min(shown, use.busiest.size()); ++i) {
    const BusyLink& link = use.busiest[i];
    proto::FabricLinkUse& to = *out.add_busiest();
    to.set_link(link.name);
    to.set_kind(link.kind);
    to.set_carried_gb(rounded(link.use.carried / 1.0_GB));
    to.set_utilisation(rounded(link.use.utilisation));
    to.set_while_exchanging(rounded(link.use.exchanging));
  }
  out.set_bottleneck(bottleneck_text(use, time));
}

}  // namespace moesim::report
