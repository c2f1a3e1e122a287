// The strategies that the registry knows. Internal to the folder.
//
// Layer: strategies.
#pragma once

#include <memory>

#include "strategies/strategy.h"

namespace moesim::strategies {

[[nodiscard]] std::unique_ptr<Strategy> make_contiguous();
[[nodiscard]] std::unique_ptr<Strategy> make_round_robin();
[[nodiscard]] std::unique_ptr<Strategy> make_random();
[[nodiscard]] std::unique_ptr<Strategy> make_eplb();
[[nodiscard]] std::unique_ptr<Strategy> make_eplb_global();
[[nodiscard]] std::unique_ptr<Strategy> make_metis();
[[nodiscard]] std::unique_ptr<Strategy> make_partition();
[[nodiscard]] std::unique_ptr<Strategy> make_rebalance();

}  // namespace moesim::strategies
