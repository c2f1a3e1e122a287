// The candidates of a sweep: every layout of the cluster, for every combination of varied fields.
//
// A degree that the sweep leaves open takes every value that divides the GPUs the given ones leave;
// ep takes every divisor of tp * dp; a dense model has neither dp nor ep; replicas fill the
// cluster. A candidate that the model does not divide over, that the simulator does not model or
// that does not fit into memory is kept with the reason. Layouts that are written differently but
// are the same (ep 1 with dp is replicas) appear once. Layer: sweep.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "catalog/catalog.h"
#include "plan/layout.h"
#include "scenario/scenario.h"
#include "scenario/sweep_reader.h"
#include "sweep/sweep_result.h"

namespace moesim::sweep {

/// One combination of varied fields, read and checked once for all its layouts.
struct Variant {
  std::vector<Setting> settings;
  std::optional<scenario::Scenario> scenario;  ///< Absent: `problem` says why.
  std::string problem;
};

struct CandidateSpace {
  std::vector<Variant> variants;
  std::vector<Candidate> candidates;  ///< Numbers 1, 2, ... in order; variants outermost.
  std::int64_t repeated = 0;          ///< Combinations that were another candidate once more.
};

/// Degrees asked for, ascending; empty: open.
struct LayoutAxes {
  std::vector<std::int64_t> tp = {};
  std::vector<std::int64_t> pp = {};
  std::vector<std::int64_t> dp = {};
  std::vector<std::int64_t> ep = {};
  std::vector<std::int64_t> replicas = {};
};

struct LayoutList {
  std::vector<plan::Layout>
      layouts;  ///< Normalised; by rising tp, pp, dp, ep, replicas as written.
  std::int64_t repeated = 0;
};

/// All layouts to try on `gpus` GPUs, good or not; at most `limit` + 1 of them (more is a mistake
/// of the sweep).
[[nodiscard]] LayoutList candidate_layouts(const LayoutAxes& axes, bool is_moe, std::int64_t gpus,
                                           std::int64_t limit);

/// Reads the variants and judges every candidate. Throws InputError if there are more than
/// sweep.max_candidates.
[[nodiscard]] CandidateSpace enumerate_candidates(const scenario::Sweep& sweep,
                                                  const catalog::Catalog& catalog);

/// The scenario that the simulator runs for a candidate that was not refused.
[[nodiscard]] scenario::Scenario candidate_scenario(const CandidateSpace& space,
                                                    const Candidate& candidate);

/// A scenario file that `simulate` runs to the result of the candidate, and the notes of reading
/// it. `name`: of the scenario in it.
[[nodiscard]] scenario::Scenario written_scenario(const scenario::Sweep& sweep,
                                                  const CandidateSpace& space,
                                                  const Candidate& candidate,
                                                  const std::string& name,
                                                  const catalog::Catalog& catalog);

}  // namespace moesim::sweep
