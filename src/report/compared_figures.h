// Figures of a comparison over its replications: means, ratios, intervals, paired differences.
//
// With one replication a mean is the figure itself and there are no intervals. A figure that one
// replication lacks (nothing served, no price) is missing altogether.
// Layer: report.
#pragma once

#include <cstddef>
#include <optional>

#include "report/figures.h"
#include "report/interval.h"
#include "sweep/compare_scenarios.h"

namespace moesim::report {

/// Whether there are intervals at all.
[[nodiscard]] bool has_replications(const sweep::Comparison& comparison);

[[nodiscard]] std::optional<double> figure_mean(const Figure& figure,
                                                const sweep::Comparison& comparison,
                                                std::size_t scenario);
/// Mean over the first scenario's mean; nothing if either is missing or the first is zero.
[[nodiscard]] std::optional<double> ratio_to_first(const Figure& figure,
                                                   const sweep::Comparison& comparison,
                                                   std::size_t scenario);
/// Only of figures that take a run; the others are the same in all replications.
[[nodiscard]] std::optional<Interval> figure_interval(const Figure& figure,
                                                      const sweep::Comparison& comparison,
                                                      std::size_t scenario);
/// This scenario less the first one, seed by seed.
[[nodiscard]] std::optional<Interval> difference_from_first(const Figure& figure,
                                                            const sweep::Comparison& comparison,
                                                            std::size_t scenario);
/// Between any two.
[[nodiscard]] std::optional<Interval> difference_between(const Figure& figure,
                                                         const sweep::Comparison& comparison,
                                                         std::size_t first, std::size_t other);

}  // namespace moesim::report
