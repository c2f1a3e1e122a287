// What an engine's entry says of its graphs, its overlap, its ways to experts and its own names of
// choices.
//
// Layer: scenario.
#pragma once

#include "catalog.pb.h"
#include "catalog/engine.h"
#include "scenario/catalog_fields.h"

namespace moesim::scenario {

void convert_engine_profile(const proto::Engine& message, const MessageScope& scope,
                            catalog::Engine& engine);

}  // namespace moesim::scenario
