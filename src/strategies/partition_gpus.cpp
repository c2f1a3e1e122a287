#include "strategies/partition_gpus.h"

#include <algorithm>
#include <span>

namespace moesim::strategies {
namespace {

constexpr std::int64_t kNetWork = 45;  ///< Nanoseconds of the reference machine per net.
constexpr std::int64_t kTryWork = 60;

class GpuExchange {
 public:
  GpuExchange(const std::vector<CopyLevel>& levels, const NodeGrid& grid,
              std::vector<std::int32_t>& slots)
      : levels_(levels), room_(grid.slots_per_gpu), slots_(slots) {
    for (std::size_t n = 0; n < grid.nodes(); ++n) node_of_.insert(node_of_.end(), grid.gpus[n], n);
    std::vector<std::int32_t> part(slots.size());
    for (const CopyLevel& level : levels) {
      for (std::size_t p = 0; p < part.size(); ++p) {
        part[p] = static_cast<std::int32_t>(level.part_of_node[node_of_[p / room_]]);
      }
      level.copies->assign(slots, part);
    }
  }
  [[nodiscard]] std::size_t gpus() const { return node_of_.size(); }
  [[nodiscard]] std::int64_t work() const {
    std::int64_t sum = 0;
    for (const CopyLevel& level : levels_) sum += kNetWork * level.copies->work();
    return sum;
  }

  /// Exchanges GPUs g and h if that lowers the copies.
  void attempt(std::size_t g, std::size_t h) {
    if (node_of_[g] == node_of_[h] || estimate(g, h) + estimate(h, g) >= 0.0) return;
    double change = 0.0;
    for (const CopyLevel& level : levels_) change += level.weight * propose(level, g, h);
    for (const CopyLevel& level : levels_) {
      if (part(level, g) == part(level, h)) continue;
      if (change < 0.0) {
        level.copies->keep();
      } else {
        level.copies->drop();
      }
    }
    if (change >= 0.0) return;
    const auto at = [&](std::size_t gpu) {
      return slots_.begin() + static_cast<std::ptrdiff_t>(gpu * room_);
    };
    std::swap_ranges(at(g), at(g + 1), at(h));
  }

 private:
  [[nodiscard]] std::size_t part(const CopyLevel& level, std::size_t gpu) const {
    return level.part_of_node[node_of_[gpu]];
  }
  [[nodiscard]] std::span<const std::int32_t> held(std::size_t gpu) const {
    return std::span(slots_).subspan(gpu * room_, room_);
  }
  /// Of moving what GPU g holds to the node of h, by the tables: each expert as if it moved alone.
  [[nodiscard]] double estimate(std::size_t g, std::size_t h) const {
    double sum = 0.0;
    for (const CopyLevel& level : levels_) {
      if (part(level, g) == part(level, h)) continue;
      for (const std::int32_t e : held(g)) {
        sum += level.weight * level.copies->move_estimate(static_cast<std::size_t>(e),
                                                          part(level, g), part(level, h));
      }
    }
    return sum;
  }
  double propose(const CopyLevel& level, std::size_t g, std::size_t h) {
    const std::size_t from = part(level, g);
    const std::size_t to = part(level, h);
    if (from == to) return 0.0;
    changes_.clear();
    for (std::size_t i = 0; i < room_; ++i) {
      const auto e = static_cast<std::size_t>(held(g)[i]);
      const auto f = static_cast<std::size_t>(held(h)[i]);
      changes_.insert(changes_.end(), {{e, from, -1}, {e, to, 1}, {f, to, -1}, {f, from, 1}});
    }
    return level.copies->propose(changes_);
  }

  const std::vector<CopyLevel>& levels_;
  std::size_t room_;
  std::vector<std::int32_t>& slots_;
  std::vector<std::size_t> node_of_;  ///< [gpu]
  std::vector<CopyModel::Change> changes_;
};

}  // namespace

std::vector<std::int32_t> exchange_gpus(const std::vector<CopyLevel>& levels, const NodeGrid& grid,
                                        std::vector<std::int32_t> slots, std::int64_t work,
                                        RandomStream& stream) {
  GpuExchange exchange(levels, grid, slots);
  const std::int64_t before = exchange.work();
  std::int64_t tries = 0;
  while (exchange.work() - before + kTryWork * tries < work) {
    const std::size_t g = stream.below(exchange.gpus());
    exchange.attempt(g, stream.below(exchange.gpus()));
    ++tries;
  }
  return slots;
}

}  // namespace moesim::strategies
