// The prefill and decode pools that a published row states in words.
//
// "disagg 1P1D": instances; "disagg 2P2D nodes" and "disagg 16P+16D GPUs": what each pool has;
// "disagg 4P(2 GPU)+1D(8 GPU)": instances of so many GPUs. Layer: validation.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace moesim::validation {

/// Instances of the row's layout in each pool.
struct PublishedPools {
  std::int64_t prefill = 0;
  std::int64_t decode = 0;
};

/// `instance`: GPUs that the row's layout takes; `gpus` and `nodes`: of the row, for pools in
/// nodes. A pool stated in GPUs per instance other than `instance` has one layout of its own: its
/// GPUs count as instances of the row's, where they divide. Nothing: `pd_mode` states no pools, or
/// they hold no whole number of instances.
[[nodiscard]] std::optional<PublishedPools> published_pools(std::string_view pd_mode,
                                                            std::int64_t instance,
                                                            std::optional<double> gpus,
                                                            std::optional<double> nodes);

}  // namespace moesim::validation
