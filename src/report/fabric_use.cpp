#include "report/fabric_use.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "core/check.h"
#include "report/fabric_report.h"
#include "report/number_text.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

using namespace moesim::literals;
using topology::Link;
using topology::LinkKind;
using topology::Topology;
using topology::VertexKind;

constexpr std::size_t kShown = 10;

/// Kinds as they are met on the way from a GPU to another.
constexpr std::array<std::string_view, 11> kNames = {
    "GPU to GPU",  "GPU to switch",      "GPU to host",          "GPU to NIC",
    "host to NIC", "NIC to leaf",        "leaf to spine",        "spine to leaf",
    "leaf to NIC", "NIC to GPU or host", "switch or host to GPU"};

std::size_t kind_of(const Topology& t, const Link& link) {
  const VertexKind from = t.vertices()[static_cast<std::size_t>(link.from)].kind;
  const VertexKind to = t.vertices()[static_cast<std::size_t>(link.to)].kind;
  switch (link.kind) {
    case LinkKind::ScaleUp:
      if (from == VertexKind::Gpu) return to == VertexKind::Gpu ? 0 : 1;
      return 10;
    case LinkKind::Pcie:
      if (from == VertexKind::Gpu) return to == VertexKind::Host ? 2 : 3;
      if (from == VertexKind::Host) return to == VertexKind::Nic ? 4 : 10;
      return 9;
    case LinkKind::NicPort:
      return from == VertexKind::Nic ? 5 : 8;
    case LinkKind::LeafSpine:
      return from == VertexKind::Leaf ? 6 : 7;
  }
  return 0;
}

/// Held back longest first, then used most, then by number.
bool is_busier(const BusyLink& a, const BusyLink& b) {
  if (a.bottleneck != b.bottleneck) return a.bottleneck > b.bottleneck;
  if (a.utilisation != b.utilisation) return a.utilisation > b.utilisation;
  return a.link < b.link;
}

}  // namespace

FabricUse fabric_use(const Topology& t, std::span<const net::LinkUse> links, Seconds duration) {
  MOESIM_CHECK(links.size() == t.links().size(), "every link has been counted");
  MOESIM_CHECK(duration > Seconds{}, "a run takes time");
  FabricUse use{.duration = duration, .kinds = {}, .busiest = {}};
  std::array<KindUse, kNames.size()> kinds;
  std::vector<BusyLink> busy;
  for (std::size_t i = 0; i < links.size(); ++i) {
    const Link& link = t.links()[i];
    if (!(link.bandwidth > BytesPerSecond{})) continue;
    const double utilisation = links[i].carried / link.bandwidth / duration;
    KindUse& kind = kinds[kind_of(t, link)];
    ++kind.links;
    kind.carried += links[i].carried;
    kind.mean += utilisation;
    kind.most = std::max(kind.most, utilisation);
    if (!(links[i].carried > Bytes{})) continue;
    ++kind.used;
    busy.push_back({.link = LinkId{static_cast<std::int64_t>(i)},
                    .carried = links[i].carried,
                    .utilisation = utilisation,
                    .bottleneck = links[i].bottleneck / duration});
  }
  for (std::size_t k = 0; k < kinds.size(); ++k) {
    if (kinds[k].links == 0) continue;
    kinds[k].name = kNames[k];
    kinds[k].mean /= static_cast<double>(kinds[k].links);
    use.kinds.push_back(kinds[k]);
  }
  const std::size_t shown = std::min(kShown, busy.size());
  std::partial_sort(busy.begin(), busy.begin() + static_cast<std::ptrdiff_t>(shown), busy.end(),
                    is_busier);
  busy.resize(shown);
  use.busiest = std::move(busy);
  if (!use.busiest.empty()) use.bottleneck = use.busiest.front();
  return use;
}

std::string fabric_use_text(const Topology& t, const FabricUse& use) {
  if (!use.bottleneck) return "No byte moved between GPUs.\n";
  std::string page = left("links", 24) + right("number", 10) + right("used", 10) +
                     right("GB carried", 14) + right("mean use", 11) + right("most", 11) + "\n";
  for (const KindUse& kind : use.kinds) {
    page += left(kind.name, 24) + right(count_text(kind.links), 10) +
            right(count_text(kind.used), 10) + right(number_text(kind.carried / 1.0_GB, 5), 14) +
            right(percent_text(kind.mean), 11) + right(percent_text(kind.most), 11) + "\n";
  }
  page += "\n" + left("busiest", 44) + right("GB carried", 14) + right("use", 11) +
          right("holds back", 14) + "\n";
  for (const BusyLink& link : use.busiest) {
    page += left(link_text(t, link.link), 44) + right(number_text(link.carried / 1.0_GB, 5), 14) +
            right(percent_text(link.utilisation), 11) + right(percent_text(link.bottleneck), 14) +
            "\n";
  }
  const BusyLink& worst = *use.bottleneck;
  const std::string kind(kNames[kind_of(t, t.links()[worst.link.index()])]);
  page +=
      "\n" +
      labelled("bottleneck",
               fmt::format("{}, {}: it held flows back for {} of {} s and was used to {} "
                           "of its {}",
                           link_text(t, worst.link), kind, percent_text(worst.bottleneck),
                           number_text(use.duration / kSecond, 4), percent_text(worst.utilisation),
                           rate_text(t.links()[worst.link.index()].bandwidth)));
  return page;
}

}  // namespace moesim::report
