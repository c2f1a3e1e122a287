#include "net/max_min.h"

#include <algorithm>
#include <limits>

#include "core/check.h"

namespace moesim::net {
namespace {

constexpr auto kLater = [](const auto& a, const auto& b) {
  return a.level != b.level ? a.level > b.level : a.link > b.link;
};

}  // namespace

void FlowSet::add(std::span<const LinkId> path, double weight) {
  MOESIM_CHECK(!path.empty(), "a flow crosses a link");
  MOESIM_CHECK(weight > 0.0, "a flow has weight");
  for (std::size_t i = 1; i < path.size(); ++i) {
    MOESIM_CHECK(std::find(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(i), path[i]) ==
                     path.begin() + static_cast<std::ptrdiff_t>(i),
                 "a path crosses a link once");
  }
  links_.insert(links_.end(), path.begin(), path.end());
  first_.push_back(links_.size());
  weight_.push_back(weight);
}

void FlowSet::clear() {
  links_.clear();
  first_.assign(1, 0);
  weight_.clear();
}

MaxMin::MaxMin(std::span<const BytesPerSecond> capacity) {
  for (const BytesPerSecond c : capacity) {
    const double bytes_per_second = c / (kByte / kSecond);
    MOESIM_CHECK(
        bytes_per_second >= 0.0 && bytes_per_second < std::numeric_limits<double>::infinity(),
        "links have rates");
    capacity_.push_back(bytes_per_second);
  }
}

void MaxMin::index_flows(const FlowSet& flows) {
  first_flow_.assign(capacity_.size() + 1, 0);
  weight_.assign(capacity_.size(), 0.0);
  open_.assign(capacity_.size(), 0);
  left_ = capacity_;
  for (std::size_t f = 0; f < flows.size(); ++f) {
    for (const LinkId link : flows.path(f)) {
      MOESIM_CHECK(link.index() < capacity_.size(), "a path is made of links that exist");
      MOESIM_CHECK(capacity_[link.index()] > 0.0, "no path crosses a link that is down");
      ++open_[link.index()];
      weight_[link.index()] += flows.weight(f);
    }
  }
  for (std::size_t l = 0; l < capacity_.size(); ++l) {
    first_flow_[l + 1] = first_flow_[l] + static_cast<std::size_t>(open_[l]);
  }
  flow_on_link_.resize(flows.crossings());
  // While filling, entry l + 1 is where link l stands; in the end that is where l + 1 starts.
  std::vector<std::size_t>& at = first_flow_;
  for (std::size_t l = capacity_.size(); l > 0; --l) at[l] = at[l - 1];
  for (std::size_t f = 0; f < flows.size(); ++f) {
    for (const LinkId link : flows.path(f)) {
      flow_on_link_[at[link.index() + 1]++] = static_cast<std::int32_t>(f);
    }
  }
}

void MaxMin::push(Share share) {
  heap_.push_back(share);
  std::push_heap(heap_.begin(), heap_.end(), kLater);
}

MaxMin::Share MaxMin::pop() {
  std::pop_heap(heap_.begin(), heap_.end(), kLater);
  const Share first = heap_.back();
  heap_.pop_back();
  return first;
}

void MaxMin::fix_flows_of(std::size_t link, double level, const FlowSet& flows) {
  for (std::size_t i = first_flow_[link]; i < first_flow_[link + 1]; ++i) {
    const auto f = static_cast<std::size_t>(flow_on_link_[i]);
    if (fixed_[f] != 0) continue;
    fixed_[f] = 1;
    const double rate = level * flows.weight(f);
    rate_[f] = rate * (kByte / kSecond);
    bottleneck_[f] = LinkId{static_cast<std::int64_t>(link)};
    for (const LinkId crossed : flows.path(f)) {
      left_[crossed.index()] -= rate;
      weight_[crossed.index()] -= flows.weight(f);
      --open_[crossed.index()];
    }
  }
}

std::span<const BytesPerSecond> MaxMin::solve(const FlowSet& flows) {
  index_flows(flows);
  rate_.assign(flows.size(), BytesPerSecond{});
  bottleneck_.assign(flows.size(), LinkId{});
  fixed_.assign(flows.size(), 0);
  heap_.clear();
  for (std::size_t l = 0; l < capacity_.size(); ++l) {
    if (open_[l] > 0) push({.level = level_of(l), .link = static_cast<std::int32_t>(l)});
  }
  double water = 0.0;
  while (!heap_.empty()) {
    const Share first = pop();
    const auto link = static_cast<std::size_t>(first.link);
    if (open_[link] == 0) continue;
    // Rounding must not let the water fall.
    const double level = std::max(water, level_of(link));
    if (!heap_.empty() && level > heap_.front().level && level > first.level) {
      push({.level = level, .link = first.link});
      continue;
    }
    water = level;
    fix_flows_of(link, level, flows);
  }
  return rate_;
}

}  // namespace moesim::net
