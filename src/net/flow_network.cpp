#include "net/flow_network.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "core/check.h"

namespace moesim::net {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr double kPicosecond = 1e-12;

double seconds_between(SimTime from, SimTime to) {
  return static_cast<double>((to - from).picoseconds()) * kPicosecond;
}

/// Orders a heap whose first element ends first.
constexpr auto kEndsLater = [](const auto& a, const auto& b) {
  return a.tag != b.tag ? a.tag > b.tag : a.sequence > b.sequence;
};

}  // namespace

FlowNetwork::FlowNetwork(std::span<const BytesPerSecond> capacity,
                         std::span<const std::uint8_t> pass_over)
    : pass_over_(pass_over.begin(), pass_over.end()), bottlenecks_(capacity) {
  MOESIM_CHECK(pass_over.empty() || pass_over.size() == capacity.size(), "one flag a link");
  pass_over_.resize(capacity.size(), 0);
  for (const BytesPerSecond c : capacity) capacity_.push_back(c / (kByte / kSecond));
  clock_.resize(capacity.size());
  const std::size_t padded = (capacity.size() + kBlock - 1) / kBlock * kBlock;
  end_.assign(padded, SimTime::never());
  first_end_of_block_.assign(padded / kBlock, SimTime::never());
  stale_block_.assign(padded / kBlock, 0);
}

PathId FlowNetwork::add_path(std::span<const LinkId> links) {
  std::vector<LinkId> all(links.begin(), links.end());
  const auto known = path_of_links_.find(all);
  if (known != path_of_links_.end()) return known->second;
  std::vector<LinkId> sharing;
  for (const LinkId link : links) {
    MOESIM_CHECK(link.index() < capacity_.size(), "a path is made of links that exist");
    MOESIM_CHECK(capacity_[link.index()] > 0.0, "no path crosses a link that is down");
    if (pass_over_[link.index()] == 0) sharing.push_back(link);
  }
  // The order of links makes no difference to sharing.
  std::sort(sharing.begin(), sharing.end());
  const auto next_class = static_cast<std::int32_t>(class_.size());
  const auto [entry, added] = class_of_links_.try_emplace(sharing, next_class);
  if (added) {
    (void)bottlenecks_.add_class(sharing);
    class_.emplace_back();
  }
  const PathId id{static_cast<std::int64_t>(paths_.size())};
  paths_.push_back({.links = all, .path_class = entry->second});
  path_of_links_.emplace(std::move(all), id);
  return id;
}

void FlowNetwork::set_time(SimTime now) {
  MOESIM_CHECK(now >= last_change_, "time goes back");
  last_change_ = now;
}

void FlowNetwork::advance(Clock& clock, SimTime now) {
  if (clock.rate > 0.0) {
    const double seconds = seconds_between(clock.since, now);
    clock.served += clock.rate * seconds;
    clock.full += seconds * kSecond;
  }
  clock.since = now;
}

double FlowNetwork::served(const Class& c, SimTime now) const {
  if (c.link == Bottlenecks::kNone) return -c.offset;
  const Clock& clock = clock_[at(c.link)];
  return clock.served + clock.rate * seconds_between(clock.since, now) - c.offset;
}

void FlowNetwork::detach(std::int32_t path_class, SimTime now) {
  Class& c = class_[at(path_class)];
  const double from = c.flows.empty() ? 0.0 : served(c, now);
  if (c.link != Bottlenecks::kNone) clock_[at(c.link)].stale = true;
  c.link = Bottlenecks::kNone;
  c.offset = -from;
}

void FlowNetwork::set_capacity(SimTime now, LinkId link, BytesPerSecond rate) {
  MOESIM_CHECK(rate > BytesPerSecond{}, "a link that is up stays up");
  set_time(now);
  if (pass_over_[link.index()] != 0) return;
  bottlenecks_.for_each_crossing(link, [&](std::int32_t id) { detach(id, now); });
  bottlenecks_.set_capacity(link, rate);
}

void FlowNetwork::start(SimTime now, PathId path, Bytes bytes, std::uint64_t tag,
                        std::int32_t weight) {
  MOESIM_CHECK(bytes > Bytes{}, "a flow has bytes");
  MOESIM_CHECK(weight >= 1, "a flow has weight");
  set_time(now);
  const std::int32_t id = paths_[path.index()].path_class;
  detach(id, now);
  Class& c = class_[at(id)];
  const double from = -c.offset;
  const double size = bytes / kByte;
  c.flows.push_back({.tag = from + size / weight,
                     .sequence = next_sequence_++,
                     .user_tag = tag,
                     .bytes = size,
                     .started = now,
                     .weight = weight,
                     .path = path.value()});
  std::push_heap(c.flows.begin(), c.flows.end(), kEndsLater);
  c.head = c.flows.front().tag;
  ++active_;
  bottlenecks_.set_weight(ClassId{id}, bottlenecks_.weight(ClassId{id}) + weight);
}

void FlowNetwork::apply(const Bottlenecks::Move& move, SimTime now) {
  Class& c = class_[at(move.path_class)];
  if (move.from != Bottlenecks::kNone) {
    Clock& from = clock_[at(move.from)];
    advance(from, now);
    from.stale = from.stale || c.head + c.offset <= from.first_tag;
    c.offset -= from.served;
  }
  Clock& to = clock_[at(move.to)];
  if (to.idle) {
    to = {.since = now, .first_tag = kNever, .idle = false, .full = to.full};
  } else {
    advance(to, now);
  }
  c.offset += to.served;
  c.link = move.to;
  const double tag = c.head + c.offset;
  if (tag < to.first_tag) {
    to.first_tag = tag;
    to.moved = true;
  }
}

void FlowNetwork::set_end(std::int32_t link, SimTime end) {
  end_[at(link)] = end;
  stale_block_[at(link) / kBlock] = 1;
}

/// Takes over the level of a link and finds when its first flow ends.
void FlowNetwork::refresh(std::int32_t link, SimTime now) {
  Clock& clock = clock_[at(link)];
  const double level = bottlenecks_.level(link);
  const double rate = level == Bottlenecks::kOpen ? 0.0 : level * bottlenecks_.quantum();
  if (rate == clock.rate && !clock.stale && !clock.moved) return;
  advance(clock, now);
  clock.rate = rate;
  clock.moved = false;
  if (rate == 0.0) {
    clock.idle = true;
    clock.stale = false;
    set_end(link, SimTime::never());
    return;
  }
  if (clock.stale) {
    clock.stale = false;
    clock.first_tag = kNever;
    bottlenecks_.for_each_owned(link, [&](std::int32_t id) {
      const Class& c = class_[at(id)];
      clock.first_tag = std::min(clock.first_tag, c.head + c.offset);
    });
  }
  const double left = std::max(0.0, clock.first_tag - clock.served);
  set_end(link, now + SimTime::from(left / rate * kSecond));
}

void FlowNetwork::rerate(SimTime now) {
  set_time(now);
  if (bottlenecks_.solved()) return;
  bottlenecks_.solve();
  for (const Bottlenecks::Move& move : bottlenecks_.moves()) apply(move, now);
  for (const std::int32_t link : bottlenecks_.touched()) refresh(link, now);
}

SimTime FlowNetwork::next_end() {
  SimTime first = SimTime::never();
  for (std::size_t b = 0; b < stale_block_.size(); ++b) {
    if (stale_block_[b] != 0) {
      stale_block_[b] = 0;
      const auto begin = end_.begin() + static_cast<std::ptrdiff_t>(b * kBlock);
      first_end_of_block_[b] = *std::min_element(begin, begin + kBlock);
    }
    first = std::min(first, first_end_of_block_[b]);
  }
  return first;
}

/// Classes of a link with a flow that ends before the middle of the next picosecond.
void FlowNetwork::find_due(std::int32_t link, SimTime now) {
  Clock& clock = clock_[at(link)];
  advance(clock, now);
  // The first one is due by definition, whatever the rounding of the clock.
  const double up_to = std::max(clock.served + 0.5 * kPicosecond * clock.rate, clock.first_tag);
  bottlenecks_.for_each_owned(link, [&](std::int32_t id) {
    const Class& c = class_[at(id)];
    if (c.head + c.offset <= up_to) due_.push_back({.path_class = id, .up_to = up_to - c.offset});
  });
  clock.stale = true;
}

void FlowNetwork::end_flows(std::int32_t path_class, double up_to) {
  Class& c = class_[at(path_class)];
  std::int32_t ended_weight = 0;
  // The head itself is due even where taking the offset off and on again rounds.
  up_to = std::max(up_to, c.head);
  while (!c.flows.empty() && c.flows.front().tag <= up_to) {
    const Flow flow = c.flows.front();
    std::pop_heap(c.flows.begin(), c.flows.end(), kEndsLater);
    c.flows.pop_back();
    ended_weight += flow.weight;
    paths_[at(flow.path)].carried += flow.bytes;
    --active_;
    ended_.push_back({.tag = flow.user_tag,
                      .path = PathId{flow.path},
                      .bytes = flow.bytes * kByte,
                      .started = flow.started,
                      .sequence = flow.sequence});
  }
  const ClassId id{path_class};
  if (c.flows.empty()) {
    c.link = Bottlenecks::kNone;
  } else {
    c.head = c.flows.front().tag;
  }
  bottlenecks_.set_weight(id, bottlenecks_.weight(id) - ended_weight);
}

std::span<const EndedFlow> FlowNetwork::end_due(SimTime now) {
  MOESIM_CHECK(rated(), "ends are known once the flows are rated");
  set_time(now);
  ended_.clear();
  due_.clear();
  for (std::size_t b = 0; b < first_end_of_block_.size(); ++b) {
    if (stale_block_[b] == 0 && first_end_of_block_[b] != now) continue;
    for (std::size_t link = b * kBlock; link < (b + 1) * kBlock; ++link) {
      if (end_[link] != now) continue;
      find_due(static_cast<std::int32_t>(link), now);
    }
  }
  for (const Due& due : due_) end_flows(due.path_class, due.up_to);
  std::sort(ended_.begin(), ended_.end(),
            [](const EndedFlow& a, const EndedFlow& b) { return a.sequence < b.sequence; });
  return ended_;
}

BytesPerSecond FlowNetwork::rate(PathId path) const {
  return bottlenecks_.rate(ClassId{paths_[path.index()].path_class});
}

std::vector<LinkUse> FlowNetwork::use(SimTime now) const {
  std::vector<double> carried(paths_.size(), 0.0);
  for (std::size_t p = 0; p < paths_.size(); ++p) carried[p] = paths_[p].carried;
  for (const Class& c : class_) {
    for (const Flow& flow : c.flows) {
      const double left = std::max(0.0, (flow.tag - served(c, now)) * flow.weight);
      carried[at(flow.path)] += flow.bytes - left;
    }
  }
  std::vector<double> bytes(capacity_.size(), 0.0);
  for (std::size_t p = 0; p < paths_.size(); ++p) {
    for (const LinkId link : paths_[p].links) bytes[link.index()] += carried[p];
  }
  std::vector<LinkUse> uses;
  for (std::size_t l = 0; l < capacity_.size(); ++l) {
    const Clock& clock = clock_[l];
    const double under_way = clock.rate > 0.0 ? seconds_between(clock.since, now) : 0.0;
    uses.push_back({.carried = bytes[l] * kByte,
                    .busy = bytes[l] > 0.0 ? bytes[l] / capacity_[l] * kSecond : Seconds{},
                    .bottleneck = clock.full + under_way * kSecond});
  }
  return uses;
}

}  // namespace moesim::net
