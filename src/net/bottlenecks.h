// Max-min fair levels of path classes, kept up to date as their weights change.
//
// A class is a path with a weight: the number of flows on it. Its level is the rate of a flow of
// weight 1. Every class is owned by its bottleneck: a full link on which no class has a higher
// level. After a change the filling is repeated only where it comes out differently:
//  - A link is touched once the rate of a class that crosses it changes. A touched link fills up at
//    level (capacity - load of the classes not its own) / weight of its own classes.
//  - The water rises from touched link to touched link. Below the level a link had before, nothing
//    on it changes. If it now fills up later than before, the classes it owned are released there:
//    they may rise on all the links they cross, which are touched. If it fills up earlier, it takes
//    classes from the links that owned them at higher levels.
//  - A link that fills up at its old level changes nothing and the change ends there.
// So links of other components, and all levels below the change, are never looked at.
// Arithmetic: rates are whole numbers of quanta, 2^-52 of the widest link's capacity (held in
// doubles, exactly). Sums do not drift, equal shares are equal, and a change ends where it ends.
// The error of a level is one quantum: below 1e-9 of it if above 2.3e-7 of the widest link.
// Omits:   time and bytes, see flow_network.h. Held to max_min.h by property tests.
// Cost:    proportional to the crossings of the links whose level changes. No allocation once the
//          classes are known. Layer: net.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/ids.h"
#include "core/units.h"

namespace moesim::net {

using ClassId = Id<struct PathClassTag>;  ///< Flows with one path.

class Bottlenecks {
 public:
  static constexpr std::int32_t kNone = -1;
  /// Level of a link without classes of its own.
  static constexpr double kOpen = std::numeric_limits<double>::infinity();

  /// A class that got another bottleneck.
  struct Move {
    std::int32_t path_class = 0;
    std::int32_t from = kNone;  ///< Link; kNone for a class that has just started.
    std::int32_t to = 0;
  };
  /// A link of rate 0 is down. Precondition (checked): capacities are finite, none negative.
  explicit Bottlenecks(std::span<const BytesPerSecond> capacity);

  /// A new class without weight. Preconditions (checked): a path of known links, each once and none
  /// down.
  ClassId add_class(std::span<const LinkId> path);
  /// Sets the weight; 0 takes the class away. Takes effect with the next `solve`.
  void set_weight(ClassId path_class, std::int32_t weight);
  /// Another rate of a link; takes effect with the next `solve`, for which the classes that cross
  /// it count as having just started. Preconditions (checked): the link is up and stays so, no
  /// wider than the widest was at the start.
  void set_capacity(LinkId link, BytesPerSecond rate);
  /// Makes the levels those of the present weights and capacities.
  void solve();

  /// What the last `solve` did. A class whose weight was raised moves from kNone, even to the link
  /// that owned it before.
  [[nodiscard]] std::span<const Move> moves() const { return moves_; }
  /// Links that were looked at; the level of any other is what it was.
  [[nodiscard]] std::span<const std::int32_t> touched() const { return touched_links_; }

  [[nodiscard]] bool solved() const { return dirty_links_.empty() && fresh_.empty(); }
  [[nodiscard]] std::size_t links() const { return capacity_.size(); }
  [[nodiscard]] std::size_t classes() const { return class_.size(); }
  /// Bytes per second of a quantum.
  [[nodiscard]] double quantum() const { return quantum_; }
  /// Level in quanta of the classes a link owns; kOpen if it owns none.
  [[nodiscard]] double level(std::int32_t link) const { return level_[at(link)]; }
  [[nodiscard]] std::int32_t bottleneck(ClassId c) const { return class_[c.index()].owner; }
  [[nodiscard]] std::int32_t weight(ClassId c) const { return class_[c.index()].weight; }
  /// Rate of a flow of weight 1.
  [[nodiscard]] BytesPerSecond rate(ClassId c) const {
    return class_[c.index()].level * quantum_ * (kByte / kSecond);
  }
  [[nodiscard]] BytesPerSecond load(LinkId link) const {
    return load_[link.index()] * quantum_ * (kByte / kSecond);
  }
  /// Calls `visit(class)` for each class the link owns.
  template <class Visit>
  void for_each_owned(std::int32_t link, Visit&& visit) const {
    const Crossings& crossings = crossings_[at(link)];
    for (std::size_t i = 0; i < crossings.owned; ++i) visit(crossings.entries[i].path_class);
  }
  /// Calls `visit(class)` for each class that crosses the link.
  template <class Visit>
  void for_each_crossing(LinkId link, Visit&& visit) const {
    for (const Entry& entry : crossings_[link.index()].entries) visit(entry.path_class);
  }

 private:
  struct Class {
    double level = 0;
    std::int32_t weight = 0;
    std::int32_t owner = kNone;
    std::uint32_t state = 0;  ///< 4 * solve + Step; anything older: untouched.
    std::uint32_t first = 0;  ///< Into path_ and place_.
    std::uint32_t hops = 0;
    bool present = false;  ///< Among the crossings of its links.
  };
  enum Step : std::uint32_t { kReleased = 1, kFixed = 2 };
  struct Entry {
    std::int32_t path_class = 0;
    std::uint32_t hop = 0;  ///< Which link of the class's path this is.
  };
  /// Classes over a link, the owned ones first.
  struct Crossings {
    std::vector<Entry> entries;
    std::size_t owned = 0;
  };

  static std::size_t at(std::int32_t i) { return static_cast<std::size_t>(i); }
  /// The largest whole number of quanta that is not above a share. Shares are below 2^53.
  static double whole(double share) {
    return static_cast<double>(static_cast<std::int64_t>(share));
  }
  [[nodiscard]] std::span<const std::int32_t> path(const Class& c) const {
    return {path_.data() + c.first, c.hops};
  }
  [[nodiscard]] bool is(const Class& c, Step step) const { return c.state == 4 * solve_ + step; }
  [[nodiscard]] bool untouched(const Class& c) const { return c.state < 4 * solve_ + kReleased; }
  void set(Class& c, Step step) { c.state = 4 * solve_ + step; }

  void enter(std::int32_t path_class);
  void leave(std::int32_t path_class);
  void swap_entries(std::size_t link, std::size_t a, std::size_t b);
  void own(std::int32_t path_class, std::int32_t link);
  void disown(std::int32_t path_class);
  void withdraw(Class& c);
  void mark_dirty(const Class& c);

  /// Slot of a link, which it gets if it has none.
  std::size_t touch(std::int32_t link);
  void close(std::size_t slot);
  /// Adds to what is left of a touched link and to the weight that shares it.
  void give(std::size_t slot, double left, double weight);
  /// Slot of the link that fills up, or filled up before, at the lowest level; kNone at the end.
  [[nodiscard]] std::int32_t lowest();
  [[nodiscard]] double lowest_of(std::size_t block) const;
  [[nodiscard]] double key(std::size_t slot) const;
  void release(Class& c);
  bool keep_at_filled_link(std::int32_t path_class);
  void release_owned(std::size_t slot);
  bool take_higher(std::size_t slot, double level);
  void fill(std::size_t slot, double level);
  void fix(std::int32_t path_class, std::int32_t link, double level);
  void begin_solve();
  void finish_solve();

  static constexpr std::size_t kBlock = 16;

  double quantum_ = 0;
  std::vector<double> capacity_;  ///< [link] quanta
  std::vector<double> load_;      ///< [link] of all classes
  std::vector<double> level_;     ///< [link]
  std::vector<double> owned_weight_;
  std::vector<Crossings> crossings_;

  std::vector<Class> class_;
  std::vector<std::int32_t> path_;    ///< Links of all classes.
  std::vector<std::uint32_t> place_;  ///< Index of each crossing among its link's entries.

  std::vector<std::int32_t> dirty_links_;  ///< Crossed by a class that lost weight.
  std::vector<std::uint8_t> is_dirty_;
  std::vector<std::int32_t> fresh_;  ///< Classes that gained weight.

  // While solving: touched links have slots, in the order in which they were touched.
  std::uint32_t solve_ = 0;
  double filled_at_ = 0;                     ///< Level at which a link has filled up last.
  std::vector<std::uint32_t> touched_;       ///< [link] number of the last solve that touched it.
  std::vector<std::int32_t> slot_;           ///< [link] if touched.
  std::vector<std::int32_t> touched_links_;  ///< [slot]
  std::vector<std::uint8_t> filled_;         ///< [slot]
  std::vector<std::uint8_t> shared_;         ///< [slot] its classes must be looked at one by one.
  std::vector<double> left_;                 ///< [slot] capacity for classes not fixed.
  std::vector<double> weight_;               ///< [slot] of the classes not fixed.
  std::vector<double> trigger_;              ///< [slot] old level until its classes are released.
  std::vector<double> lowest_of_block_;
  std::vector<std::uint8_t> stale_block_;
  std::vector<Move> moves_;
  std::vector<Entry> crossing_;  ///< Of a link whose capacity changes.
};

}  // namespace moesim::net
