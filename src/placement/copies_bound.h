// A bound from below on the copies per token that any placement of some slots must send.
//
// Model:   a token's k experts are served in blocks, one per node: m0 on its own node, the others
//          on B remote nodes, B being its copies. P = pairs of its experts that share a block.
//          (1) Mean P <= U: on c nodes of K slots an expert meets at most c (K - 1) others, at best
//          its most frequent partners; the slots are shared out so that the sum is largest.
//          (2) Mean m0 <= M: of tokens from a node, those experts are at home that lie there, at
//          best the K most frequent. For any b, g >= 0 every token has
//          B + b P + g m0 >= a(b, g) = the least over m0 and B, blocks as even as can be (even
//          blocks have the fewest pairs), so that mean B >= a(b, g) - b U - g M. The best b, g.
// Omits:   load: an even placement may need more; and partners are bounded expert by expert, which
//          no set of nodes may achieve together. Known gap: docs/models/placement.md.
// Layer:   placement.
#pragma once

#include <cstdint>

#include "placement/placement.h"
#include "routing/token_trace.h"

namespace moesim::placement {

/// Copies per token of one row of a trace: no placement of the shape's slots and no choice of
/// replicas sends fewer. Sources of tokens as in evaluate(). 0 on a single node.
[[nodiscard]] double copies_lower_bound(const routing::TokenTrace& tokens, std::int64_t row,
                                        const PlacementShape& shape);

}  // namespace moesim::placement
