// Requests of several kinds: interactive ones and batch jobs, say.
//
// A request's class is drawn by its number, that of a turn by its session: so the classes of a seed
// do not depend on anything else. Lengths a class does not set stay those of the source.
// Layer: workload.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "workload/model.h"
#include "workload/request_source.h"

namespace moesim::workload {

struct RequestClass {
  double share = 1.0;  ///< Of the sum of all shares.
  std::optional<LengthLaw> input = std::nullopt;
  std::optional<LengthLaw> output = std::nullopt;
};

/// The requests of `source`, each of one of `classes` (not empty). `model`: what the source draws
/// from with this seed, needed where a class has lengths of its own.
[[nodiscard]] std::unique_ptr<RequestSource> give_classes(std::unique_ptr<RequestSource> source,
                                                          const std::vector<RequestClass>& classes,
                                                          const WorkloadModel* model,
                                                          std::uint64_t seed);

}  // namespace moesim::workload
