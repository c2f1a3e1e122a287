// The book of bottlenecks.h: which classes cross and which are owned by a link, their weights, and
// the rates of links.
#include <algorithm>
#include <utility>

#include "core/check.h"
#include "net/bottlenecks.h"

namespace moesim::net {

ClassId Bottlenecks::add_class(std::span<const LinkId> path) {
  MOESIM_CHECK(!path.empty(), "a flow crosses a link");
  Class c;
  c.first = static_cast<std::uint32_t>(path_.size());
  c.hops = static_cast<std::uint32_t>(path.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    MOESIM_CHECK(path[i].index() < capacity_.size(), "a path is made of links that exist");
    MOESIM_CHECK(capacity_[path[i].index()] > 0.0, "no path crosses a link that is down");
    const auto before = path.begin() + static_cast<std::ptrdiff_t>(i);
    MOESIM_CHECK(std::find(path.begin(), before, path[i]) == before, "a path crosses a link once");
    path_.push_back(path[i].value());
    place_.push_back(0);
  }
  class_.push_back(c);
  return ClassId{static_cast<std::int64_t>(class_.size()) - 1};
}

void Bottlenecks::enter(std::int32_t path_class) {
  Class& c = class_[at(path_class)];
  for (std::uint32_t hop = 0; hop < c.hops; ++hop) {
    auto& entries = crossings_[at(path_[c.first + hop])].entries;
    place_[c.first + hop] = static_cast<std::uint32_t>(entries.size());
    entries.push_back({.path_class = path_class, .hop = hop});
  }
  c.present = true;
}

void Bottlenecks::leave(std::int32_t path_class) {
  Class& c = class_[at(path_class)];
  for (std::uint32_t hop = 0; hop < c.hops; ++hop) {
    const std::size_t link = at(path_[c.first + hop]);
    auto& entries = crossings_[link].entries;
    swap_entries(link, place_[c.first + hop], entries.size() - 1);
    entries.pop_back();
  }
  c.present = false;
}

void Bottlenecks::swap_entries(std::size_t link, std::size_t a, std::size_t b) {
  if (a == b) return;
  auto& entries = crossings_[link].entries;
  std::swap(entries[a], entries[b]);
  for (const std::size_t i : {a, b}) {
    place_[class_[at(entries[i].path_class)].first + entries[i].hop] =
        static_cast<std::uint32_t>(i);
  }
}

void Bottlenecks::own(std::int32_t path_class, std::int32_t link) {
  Class& c = class_[at(path_class)];
  Crossings& crossings = crossings_[at(link)];
  for (std::uint32_t hop = 0; hop < c.hops; ++hop) {
    if (path_[c.first + hop] != link) continue;
    swap_entries(at(link), place_[c.first + hop], crossings.owned);
  }
  ++crossings.owned;
  owned_weight_[at(link)] += c.weight;
  c.owner = link;
}

void Bottlenecks::disown(std::int32_t path_class) {
  Class& c = class_[at(path_class)];
  const std::size_t link = at(c.owner);
  Crossings& crossings = crossings_[link];
  --crossings.owned;
  for (std::uint32_t hop = 0; hop < c.hops; ++hop) {
    if (path_[c.first + hop] != c.owner) continue;
    swap_entries(link, place_[c.first + hop], crossings.owned);
  }
  owned_weight_[link] -= c.weight;
  c.owner = kNone;
}

void Bottlenecks::mark_dirty(const Class& c) {
  for (const std::int32_t link : path(c)) {
    if (is_dirty_[at(link)] != 0) continue;
    is_dirty_[at(link)] = 1;
    dirty_links_.push_back(link);
  }
}

/// Takes the class's rate off its links.
void Bottlenecks::withdraw(Class& c) {
  for (const std::int32_t link : path(c)) load_[at(link)] -= c.weight * c.level;
  mark_dirty(c);
}

void Bottlenecks::set_weight(ClassId path_class, std::int32_t weight) {
  MOESIM_CHECK(weight >= 0, "weights are not negative");
  Class& c = class_[path_class.index()];
  if (weight == c.weight) return;
  const bool placed = c.owner != kNone;
  if (weight > c.weight || weight == 0) {
    if (placed) {
      withdraw(c);
      const std::size_t owner = at(c.owner);
      disown(path_class.value());
      if (crossings_[owner].owned == 0) level_[owner] = kOpen;
      c.level = 0.0;
    }
    if (weight == 0) {
      leave(path_class.value());
    } else if (!c.present) {
      enter(path_class.value());
    }
    if (weight > 0 && (placed || c.weight == 0)) fresh_.push_back(path_class.value());
  } else if (placed) {
    for (const std::int32_t link : path(c)) load_[at(link)] -= (c.weight - weight) * c.level;
    owned_weight_[at(c.owner)] -= c.weight - weight;
    mark_dirty(c);
  }
  c.weight = weight;
}

void Bottlenecks::set_capacity(LinkId link, BytesPerSecond rate) {
  MOESIM_CHECK(capacity_[link.index()] > 0.0, "a link that is down stays down");
  const double quanta = whole(rate / (kByte / kSecond) / quantum_);
  MOESIM_CHECK(quanta >= 1.0 && quanta < 0x1p53, "a link's rate is of the network's scale");
  crossing_ = crossings_[link.index()].entries;
  for (const Entry& entry : crossing_) {
    const ClassId id{entry.path_class};
    const std::int32_t before = weight(id);
    set_weight(id, 0);
    set_weight(id, before);
  }
  capacity_[link.index()] = quanta;
}

}  // namespace moesim::net
