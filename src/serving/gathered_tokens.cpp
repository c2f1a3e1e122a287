#include "serving/gathered_tokens.h"

#include <algorithm>
#include <numeric>
#include <vector>

namespace moesim::serving {
namespace {

constexpr Bytes kNumber = Bytes::from_base(2.0);  ///< bf16

}  // namespace

GatheredTokens::GatheredTokens(const Deployment& deployment, Kernels& kernels,
                               const topology::Topology& topology, std::span<const GpuId> group,
                               std::int64_t hidden, std::int64_t experts)
    : gather_(
          GroupCollective::all_gather(deployment, kernels, topology, group, StepPart::Dispatch)),
      sum_(
          deployment.all2all == catalog::All2AllBackend::AllReduce
              ? GroupCollective::all_reduce(deployment, kernels, topology, group, StepPart::Combine)
              : GroupCollective::reduce_scatter(deployment, kernels, topology, group,
                                                StepPart::Combine)),
      dispatch_copy_(static_cast<double>(hidden + experts) * kNumber),
      sum_of_token_(static_cast<double>(hidden) * kNumber),
      // An all-reduce scatters sums and gathers them.
      combine_copy_((deployment.all2all == catalog::All2AllBackend::AllReduce ? 2.0 : 1.0) *
                    sum_of_token_) {}

void GatheredTokens::add(std::int64_t tokens, LimitedTime& dispatch, LimitedTime& combine) const {
  gather_.add(static_cast<double>(tokens) * dispatch_copy_, dispatch);
  sum_.add(static_cast<double>(tokens) * sum_of_token_, combine);
}

void GatheredTokens::count(std::span<const std::int32_t> domain_of_rank,
                           std::span<const std::int32_t> tokens_of_rank,
                           placement::LayerTraffic& traffic) {
  const std::size_t ranks = tokens_of_rank.size();
  const auto domains =
      static_cast<std::size_t>(1 + *std::max_element(domain_of_rank.begin(), domain_of_rank.end()));
  const std::size_t in_domain = ranks / domains;
  const auto all =
      static_cast<std::int32_t>(std::accumulate(tokens_of_rank.begin(), tokens_of_rank.end(), 0));
  std::vector<std::int32_t> of_place(in_domain, 0);  // tokens of the ranks that share a place
  for (std::size_t r = 0; r < ranks; ++r) of_place[r % in_domain] += tokens_of_rank[r];
  std::fill(traffic.to_node.begin(), traffic.to_node.end(), 0);
  std::fill(traffic.network_in.begin(), traffic.network_in.end(), 0);
  for (std::size_t r = 0; r < ranks; ++r) {
    for (std::size_t d = 0; d < domains; ++d) {
      if (d != static_cast<std::size_t>(domain_of_rank[r])) {
        traffic.to_node[r * domains + d] = tokens_of_rank[r];
      }
    }
    // What it hands on inside its domain: its own and what entered at its place.
    const std::int32_t hands_on = of_place[r % in_domain];
    traffic.scale_up_out[r] = hands_on * static_cast<std::int32_t>(in_domain - 1);
    traffic.scale_up_in[r] = all - hands_on;
  }
  traffic.token_copies_between_nodes = std::int64_t{all} * static_cast<std::int64_t>(domains - 1);
}

}  // namespace moesim::serving
