// Requests whose prompts begin with one of a few texts: a system prompt, documents asked about.
//
// The text of a request is drawn, each with the same probability; its blocks get ids of their own.
// Layer: workload.
#pragma once

#include <cstdint>
#include <memory>

#include "workload/request_source.h"

namespace moesim::workload {

struct SharedPrefix {
  std::int64_t tokens = 0;  ///< Of each text; 0: prompts have nothing in common.
  std::int64_t texts = 1;
};

/// The requests of `source`, whose prompts name no prefix blocks, with the leading tokens shared,
/// in blocks of `block_tokens`; a block that is not full is not named.
[[nodiscard]] std::unique_ptr<RequestSource> share_prefixes(std::unique_ptr<RequestSource> source,
                                                            const SharedPrefix& prefix,
                                                            std::int32_t block_tokens,
                                                            std::uint64_t seed);

}  // namespace moesim::workload
