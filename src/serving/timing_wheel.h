// Finds the items that fall due at a step, in time proportional to those that do.
//
// A hashed wheel of 1,024 buckets: an item due at step d lies in bucket d mod 1024. Items are named
// by small integers (reused), held in doubly linked lists, so that adding and removing are O(1).
// Layer: serving.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace moesim::serving {

class TimingWheel {
 public:
  TimingWheel() : heads_(kBuckets, kNone) {}

  void add(std::int32_t item, std::int64_t due) {
    const auto i = static_cast<std::size_t>(item);
    if (i >= nodes_.size()) nodes_.resize(i + 1);
    std::int32_t& head = heads_[bucket(due)];
    nodes_[i] = {due, head, kNone};
    if (head != kNone) nodes_[static_cast<std::size_t>(head)].before = item;
    head = item;
  }

  /// Precondition: the item is in the wheel.
  void remove(std::int32_t item) {
    const Node& node = nodes_[static_cast<std::size_t>(item)];
    if (node.before == kNone) {
      heads_[bucket(node.due)] = node.after;
    } else {
      nodes_[static_cast<std::size_t>(node.before)].after = node.after;
    }
    if (node.after != kNone) nodes_[static_cast<std::size_t>(node.after)].before = node.before;
  }

  /// Calls visit(item) for every item due at `step`, latest added first.
  template <class Visit>
  void visit_due(std::int64_t step, Visit&& visit) const {
    for (std::int32_t item = heads_[bucket(step)]; item != kNone;) {
      const Node& node = nodes_[static_cast<std::size_t>(item)];
      if (node.due == step) visit(item);
      item = node.after;
    }
  }

  /// Removes every item due at `step` and calls visit(item), latest added first.
  template <class Visit>
  void take_due(std::int64_t step, Visit&& visit) {
    std::int32_t item = heads_[bucket(step)];
    while (item != kNone) {
      const Node node = nodes_[static_cast<std::size_t>(item)];
      if (node.due == step) {
        remove(item);
        visit(item);
      }
      item = node.after;
    }
  }

 private:
  static constexpr std::int32_t kNone = -1;
  static constexpr std::size_t kBuckets = 1024;
  struct Node {
    std::int64_t due = 0;
    std::int32_t after = kNone;
    std::int32_t before = kNone;
  };
  static std::size_t bucket(std::int64_t step) { return static_cast<std::size_t>(step) % kBuckets; }

  std::vector<std::int32_t> heads_;
  std::vector<Node> nodes_;
};

}  // namespace moesim::serving
