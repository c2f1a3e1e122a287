#include "serving/popularity_drift.h"

#include <memory>

#include "core/random.h"
#include "routing/affinity_model.h"
#include "routing/popularity.h"

namespace moesim::serving {

void PopularityDrift::advance(SimTime now, ExpertPlan& plan) {
  while (due(now)) {
    ++steps_;
    next_ += experts_->drift->every;
    const std::uint64_t seed = mix64(seed_ ^ mix64(static_cast<std::uint64_t>(steps_)));
    popularity_ = routing::drifted(plan.routing, popularity_, experts_->drift->sigma, seed);
  }
  if (experts_->affinity) {
    plan.bank = std::make_shared<const routing::TokenBank>(
        routing::draw_tokens(plan.routing, popularity_, experts_->affinity->parameters,
                             experts_->affinity->bank_tokens, seed_));
  } else {
    plan.router = std::make_shared<const routing::ExpertRouter>(plan.routing, popularity_);
  }
}

}  // namespace moesim::serving
