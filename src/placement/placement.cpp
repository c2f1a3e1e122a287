#include "placement/placement.h"

#include <algorithm>
#include <cstddef>

namespace moesim::placement {
namespace {

constexpr std::size_t kMaxMessages = 20;

std::string at(std::int64_t layer, const std::string& what) {
  return "layer " + std::to_string(layer) + ": " + what;
}

std::vector<std::string> verify_shape(const Placement& placement) {
  const PlacementShape& shape = placement.shape;
  std::vector<std::string> errors;
  if (shape.moe_layers < 1 || shape.experts < 1 || shape.ranks < 1 || shape.slots_per_rank < 1) {
    errors.emplace_back("layers, experts, ranks and slots per rank must be at least 1");
    return errors;
  }
  if (std::ssize(shape.domain_of_rank) != shape.ranks) {
    errors.push_back("names the domain of " + std::to_string(shape.domain_of_rank.size()) +
                     " ranks, has " + std::to_string(shape.ranks));
  }
  for (const std::int32_t d : shape.domain_of_rank) {
    if (d >= 0) continue;
    errors.emplace_back("a rank has a negative domain");
    break;
  }
  if (shape.slots() < shape.experts) {
    errors.push_back("has " + std::to_string(shape.slots()) + " slots for " +
                     std::to_string(shape.experts) + " experts");
  }
  if (std::ssize(placement.expert_of_slot) != shape.moe_layers * shape.slots()) {
    errors.push_back("lists " + std::to_string(placement.expert_of_slot.size()) +
                     " slots instead of layers times slots, " +
                     std::to_string(shape.moe_layers * shape.slots()));
  }
  return errors;
}

void verify_layer(const Placement& placement, std::int64_t layer,
                  std::vector<std::string>& errors) {
  const PlacementShape& shape = placement.shape;
  // Last rank on which each expert was seen; -1: nowhere yet.
  std::vector<std::int64_t> last_rank(static_cast<std::size_t>(shape.experts), -1);
  for (std::int64_t slot = 0; slot < shape.slots(); ++slot) {
    const std::int32_t expert =
        placement.expert_of_slot[static_cast<std::size_t>(layer * shape.slots() + slot)];
    if (expert < 0 || expert >= shape.experts) {
      errors.push_back(at(layer, "slot " + std::to_string(slot) + " holds expert " +
                                     std::to_string(expert) + ", which does not exist"));
      continue;
    }
    const std::int64_t rank = slot / shape.slots_per_rank;
    std::int64_t& last = last_rank[static_cast<std::size_t>(expert)];
    if (last == rank) {
      errors.push_back(at(layer, "rank " + std::to_string(rank) + " holds expert " +
                                     std::to_string(expert) + " twice"));
    }
    last = rank;
  }
  for (std::size_t e = 0; e < last_rank.size(); ++e) {
    if (last_rank[e] < 0) {
      errors.push_back(at(layer, "expert " + std::to_string(e) + " has no slot"));
    }
  }
}

}  // namespace

std::vector<std::string> verify(const Placement& placement) {
  std::vector<std::string> errors = verify_shape(placement);
  if (!errors.empty()) return errors;
  for (std::int64_t layer = 0; layer < placement.shape.moe_layers; ++layer) {
    verify_layer(placement, layer, errors);
    if (errors.size() > kMaxMessages) {
      errors.resize(kMaxMessages);
      errors.emplace_back("and more");
      break;
    }
  }
  return errors;
}

}  // namespace moesim::placement
