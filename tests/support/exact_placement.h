// The best placement of a tiny layer, by trying them all: what strategies and bounds are held to.
#pragma once

#include <bit>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

#include "placement/placement.h"

namespace moesim::test {

struct ExactPlacement {
  double value = std::numeric_limits<double>::infinity();
  std::vector<std::int32_t> expert_of_slot{};
  std::int64_t tried = 0;
};

/// Tries every choice of slots_per_rank different experts for each rank that leaves no expert out.
class ExactSearch {
 public:
  using Objective = std::function<double(std::span<const std::int32_t> expert_of_slot)>;

  /// `ranks_alike`: the objective does not tell ranks apart (balance): one order of each is enough.
  ExactSearch(const placement::PlacementShape& shape, Objective objective, bool ranks_alike)
      : shape_(shape), objective_(std::move(objective)), ranks_alike_(ranks_alike) {
    for (std::uint32_t set = 0; set < 1U << shape.experts; ++set) {
      if (std::popcount(set) == static_cast<int>(shape.slots_per_rank)) sets_.push_back(set);
    }
  }
  ExactPlacement run() {
    slots_.clear();
    choose(0, 0, 0);
    return best_;
  }

 private:
  void choose(std::int64_t rank, std::size_t first, std::uint32_t covered) {
    const std::int64_t room = (shape_.ranks - rank) * shape_.slots_per_rank;
    if (shape_.experts - std::popcount(covered) > room) return;
    if (rank == shape_.ranks) {
      ++best_.tried;
      const double value = objective_(slots_);
      if (value >= best_.value) return;
      best_.value = value;
      best_.expert_of_slot = slots_;
      return;
    }
    for (std::size_t i = ranks_alike_ ? first : 0; i < sets_.size(); ++i) {
      const std::size_t size = slots_.size();
      for (std::int32_t e = 0; e < shape_.experts; ++e) {
        if ((sets_[i] >> e & 1U) != 0) slots_.push_back(e);
      }
      choose(rank + 1, i, covered | sets_[i]);
      slots_.resize(size);
    }
  }

  placement::PlacementShape shape_;
  Objective objective_;
  bool ranks_alike_;
  std::vector<std::uint32_t> sets_;
  std::vector<std::int32_t> slots_;
  ExactPlacement best_;
};

}  // namespace moesim::test
