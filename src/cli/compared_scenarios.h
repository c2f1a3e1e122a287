// What `moesim compare` is to run: several files, or variants of one.
//
// Layer: cli.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "catalog/catalog.h"
#include "scenario/scenario.h"
#include "scenario/sweep_reader.h"
#include "sweep/sweep_result.h"

namespace moesim::cli {

/// Scenarios read and checked, and how to read each of them once more with another seed.
class ComparedScenarios {
 public:
  /// Variants if there are `axes`, else one scenario for each path. Throws InputError with the
  /// mistakes of all of them, each said once.
  ComparedScenarios(const std::vector<std::string>& paths,
                    const std::vector<std::string>& overrides,
                    std::vector<scenario::SweepAxis> axes);

  [[nodiscard]] std::vector<scenario::Scenario> take() { return std::move(scenarios_); }
  /// Safe to call from several threads.
  [[nodiscard]] scenario::Scenario reseeded(std::size_t scenario, std::uint64_t seed) const;
  [[nodiscard]] const std::vector<scenario::SweepAxis>& axes() const { return axes_; }
  /// [scenario]; empty for several files.
  [[nodiscard]] const std::vector<std::vector<sweep::Setting>>& settings() const {
    return settings_;
  }

 private:
  struct Source {
    std::string path;
    std::vector<std::string> overrides;
  };

  catalog::Catalog catalog_;
  std::vector<scenario::SweepAxis> axes_;
  std::vector<std::vector<sweep::Setting>> settings_;
  std::vector<Source> sources_;
  std::vector<scenario::Scenario> scenarios_;
};

}  // namespace moesim::cli
