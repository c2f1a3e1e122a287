// Any bytes given to the readers of recorded routing make a record that can be used, or are
// refused; nothing else happens.
//
// The first byte chooses what is known of the model, the rest is the file.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"
#include "core/diagnostics.h"
#include "interchange/routing_file.h"

namespace {

using moesim::interchange::RoutingHints;
using moesim::interchange::RoutingRecord;

void check_loads(const RoutingRecord& record) {
  if (record.load.empty()) return;
  MOESIM_CHECK(std::ssize(record.load) == record.moe_layers * record.experts, "loads are a matrix");
  for (std::int64_t layer = 0; layer < record.moe_layers; ++layer) {
    double sum = 0.0;
    for (std::int64_t e = 0; e < record.experts; ++e) {
      const double load = record.load[static_cast<std::size_t>(layer * record.experts + e)];
      MOESIM_CHECK(std::isfinite(load) && load >= 0.0, "a load is a count");
      sum += load;
    }
    MOESIM_CHECK(sum > 0.0, "no layer is without load");
  }
}

void check_tokens(const RoutingRecord& record) {
  const auto& tokens = record.tokens;
  if (tokens.empty()) return;
  MOESIM_CHECK(std::ssize(tokens.expert) == tokens.rows() * tokens.tokens() * tokens.top_k,
               "tokens are a table");
  MOESIM_CHECK(tokens.layer.back() < record.moe_layers, "layers are the model's");
  for (std::size_t i = 0; i < tokens.expert.size(); ++i) {
    MOESIM_CHECK(tokens.expert[i] < tokens.experts, "an expert exists");
    for (std::size_t j = i - i % static_cast<std::size_t>(tokens.top_k); j < i; ++j) {
      MOESIM_CHECK(tokens.expert[j] != tokens.expert[i], "experts of a token are distinct");
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  if (size == 0) return 0;
  RoutingHints hints;
  if ((bytes[0] & 1) != 0) hints.experts = 16;
  if ((bytes[0] & 2) != 0) hints.moe_layers = 2;
  if ((bytes[0] & 4) != 0) hints.layers = moesim::interchange::dense_first(1, 2);
  if ((bytes[0] & 8) != 0) hints.top_k = 2;
  if ((bytes[0] & 16) != 0) hints.trace_layers = {0, 1};
  const std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
  try {
    const RoutingRecord record = moesim::interchange::parse_routing(text, "fuzz", hints);
    MOESIM_CHECK(!record.load.empty() || !record.tokens.empty(), "a record holds something");
    check_loads(record);
    check_tokens(record);
    const RoutingRecord twice[] = {record, record};
    check_tokens(moesim::interchange::merge(twice));
  } catch (const moesim::InputError& error) {
    MOESIM_CHECK(!error.diagnostics().empty(), "a refusal has a reason");
    MOESIM_CHECK(error.diagnostics().size() <= 21, "the list of reasons is bounded");
  }
  return 0;
}
