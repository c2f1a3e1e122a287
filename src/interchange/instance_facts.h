// What instance.json of a placement instance says.
//
// Layer: interchange (internal).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "interchange/routing_file.h"
#include "routing/expert_router.h"

namespace moesim::interchange {

struct InstanceFacts {
  std::string name;  ///< May be empty.
  routing::RoutingShape shape;
  std::vector<std::int32_t> trace_layers;  ///< MoE layers of the traces; empty: all.
  [[nodiscard]] RoutingHints hints() const;
};

/// Throws InputError with every mistake.
[[nodiscard]] InstanceFacts parse_instance_facts(std::string_view text, const std::string& file);
[[nodiscard]] InstanceFacts read_instance_facts(const std::string& directory);

}  // namespace moesim::interchange
