// Popularity that walks while a run goes on.
//
// Model:   at every step ln share gets N(0, sigma^2) (routing::drifted); a step belongs to a time,
// so
//          runs that differ in anything else see the same popularity. Tables are made anew only for
//          steps at which an iteration starts.
// Cost:    O(MoE layers * experts) per step and one router (or bank of tokens) per step that is
// used;
//          measured times: docs/models/serving.md.
// Layer:   serving.
#pragma once

#include <cstdint>

#include "core/sim_time.h"
#include "routing/expert_router.h"
#include "serving/deployment.h"
#include "serving/expert_plan.h"

namespace moesim::serving {

class PopularityDrift {
 public:
  /// The deployment must outlive it. Precondition: it has a drift.
  PopularityDrift(const Deployment& deployment, std::uint64_t seed)
      : experts_(&deployment.experts),
        popularity_(deployment.experts.popularity),
        next_(deployment.experts.drift->every),
        seed_(seed) {}
  /// Whether the plan's popularity is no longer that of `now`.
  [[nodiscard]] bool due(SimTime now) const { return now >= next_; }
  /// The plan as of `now`: its router or its bank replaced. The old ones live on in `plan`'s
  /// copies.
  void advance(SimTime now, ExpertPlan& plan);
  [[nodiscard]] std::int64_t steps() const { return steps_; }

 private:
  const ExpertSettings* experts_;
  routing::Popularity popularity_;
  SimTime next_;
  std::uint64_t seed_;
  std::int64_t steps_ = 0;
};

}  // namespace moesim::serving
