#include "serving/kv_transfer.h"

#include <fmt/format.h>

#include <algorithm>

#include "catalog/kv_cache.h"
#include "plan/layout.h"

namespace moesim::serving {
namespace {

GpuId gpu_of(const Deployment& d, Target at, std::int64_t stage, std::int64_t tp_rank) {
  const auto rank = d.layout.rank(stage, static_cast<std::int64_t>(at.rank), tp_rank);
  return GpuId{static_cast<std::int32_t>(
      d.first_gpu + static_cast<std::int64_t>(at.instance) * d.layout.gpus_per_instance() +
      rank.value())};
}

}  // namespace

std::vector<HandoverProblem> check_handover(const Deployment& prefill, const Deployment& decode) {
  std::vector<HandoverProblem> problems;
  const std::int64_t from = prefill.layout.tp;
  const std::int64_t to = decode.layout.tp;
  if (from % to != 0 && to % from != 0) {
    problems.push_back({"tp",
                        fmt::format("{} and the prefill pool's {}: heads of the KV cache would be "
                                    "cut at different places",
                                    to, from),
                        "let one divide the other, as the engines' transfers need it"});
  }
  if (prefill.precision.kv_element != decode.precision.kv_element) {
    problems.push_back({"kv_cache_dtype", "is not that of the prefill pool",
                        "caches are copied as they are: use one format in both pools"});
  }
  if (prefill.scheduler.block_size != decode.scheduler.block_size) {
    problems.push_back({"scheduler.block_size",
                        fmt::format("{} is not that of the prefill pool, {}",
                                    decode.scheduler.block_size, prefill.scheduler.block_size),
                        "caches are copied block by block: use one size in both pools"});
  }
  return problems;
}

std::vector<net::Transfer> cache_transfers(const Deployment& prefill, Target source,
                                           const Deployment& decode, Target target,
                                           std::int64_t tokens) {
  const catalog::Model& model = decode.model;
  const auto held = plan::split_layers(model.layers(), prefill.layout.pp);
  const auto wanted = plan::split_layers(model.layers(), decode.layout.pp);
  const std::int64_t senders = std::max<std::int64_t>(1, prefill.layout.tp / decode.layout.tp);
  std::vector<net::Transfer> transfers;
  for (std::size_t to = 0; to < wanted.size(); ++to) {
    for (std::size_t from = 0; from < held.size(); ++from) {
      const std::int64_t first = std::max(held[from].first, wanted[to].first);
      const std::int64_t last = std::min(held[from].last, wanted[to].last);
      if (first >= last) continue;
      const Bytes bytes =
          catalog::kv_footprint(model, decode.precision.kv_element, decode.layout.tp, first, last)
              .of_sequence(tokens);
      for (std::int64_t j = 0; j < decode.layout.tp; ++j) {
        for (std::int64_t i = 0; i < senders; ++i) {
          const std::int64_t sender =
              senders > 1 ? j * senders + i : j * prefill.layout.tp / decode.layout.tp;
          transfers.push_back(
              {.from = gpu_of(prefill, source, static_cast<std::int64_t>(from), sender),
               .to = gpu_of(decode, target, static_cast<std::int64_t>(to), j),
               .bytes = bytes / static_cast<double>(senders)});
        }
      }
    }
  }
  return transfers;
}

KvTransfers::KvTransfers(const Fleet& fleet, const topology::Topology& topology,
                         des::Simulator& simulator, std::uint32_t first_kind)
    : fleet_(fleet),
      topology_(topology),
      simulator_(simulator),
      fabric_(topology),
      runs_(fabric_, simulator, first_kind),
      nics_(topology, runs_) {}

void KvTransfers::send(SequenceIndex sequence, std::int64_t tokens, Target source, Target target,
                       double share) {
  std::vector<net::Transfer> transfers =
      cache_transfers(fleet_.pools.front(), source, fleet_.pools.back(), target, tokens);
  for (net::Transfer& transfer : transfers) {
    transfer.bytes = share * transfer.bytes;
    sent_ += transfer.bytes;
  }
  if (free_.empty()) {
    free_.push_back(messages_.size());
    messages_.emplace_back();
  }
  const std::size_t slot = free_.back();
  free_.pop_back();
  Message& message = messages_[slot];
  message.sequence = sequence;
  message.flows = net::transfer_flows(topology_, transfers);
  message.ports.clear();
  for (const net::Transfer& t : transfers) nics_.find_ports(t.from, t.to, message.ports);
  nics_.begin(message.ports, simulator_.now());
  runs_.start(message.flows, slot);
}

std::span<const SequenceIndex> KvTransfers::handle(const des::Event& event) {
  arrived_.clear();
  for (const std::uint64_t tag : runs_.handle(event)) {
    arrived_.push_back(messages_[tag].sequence);
    nics_.end(messages_[tag].ports, simulator_.now());
    free_.push_back(tag);
  }
  return arrived_;
}

}  // namespace moesim::serving
