// KV caches on their way from prefill to decode ranks, as flows on the links of the cluster.
//
// Formula: a target GPU (stage, tp rank) takes catalog::kv_footprint of its layers and heads;
// source
//          GPUs of the stages that hold those layers send it in equal parts, by tp: one source
//          where the target splits finer, target.tp / source.tp of them where it splits coarser.
//          Flows share links max-min fairly with all other caches under way (docs/models/flows.md);
//          a message takes the latency of its longest path first.
//          Dispatch and combine on the same ports: nic_sharing.h.
// Omits:   the host's time to set a transfer up, blocks that are not contiguous.
// Layer:   serving.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <vector>

#include "des/simulator.h"
#include "net/fabric.h"
#include "net/flow_runs.h"
#include "serving/fleet.h"
#include "serving/nic_sharing.h"
#include "serving/router.h"
#include "serving/sequence.h"

namespace moesim::serving {

/// Why caches of one pool cannot be read by the other; empty: they can.
struct HandoverProblem {
  std::string field;  ///< Inside the decode pool: "tp".
  std::string message;
  std::string hint;
};
[[nodiscard]] std::vector<HandoverProblem> check_handover(const Deployment& prefill,
                                                          const Deployment& decode);

/// What each pair of GPUs moves of a prompt of `tokens` tokens.
[[nodiscard]] std::vector<net::Transfer> cache_transfers(const Deployment& prefill, Target source,
                                                         const Deployment& decode, Target target,
                                                         std::int64_t tokens);

class KvTransfers {
 public:
  /// All must outlive it. Uses net::FlowRuns::kKinds kinds of events.
  KvTransfers(const Fleet& fleet, const topology::Topology& topology, des::Simulator& simulator,
              std::uint32_t first_kind);
  /// Starts to send `share` of the cache of a sequence now.
  void send(SequenceIndex sequence, std::int64_t tokens, Target source, Target target,
            double share);
  [[nodiscard]] bool handles(const des::Event& event) const { return runs_.handles(event); }
  /// Sequences of which a message has arrived, one entry per message; valid until the next call.
  [[nodiscard]] std::span<const SequenceIndex> handle(const des::Event& event);
  [[nodiscard]] Bytes sent() const { return sent_; }
  /// What caches and exchanges take from each other.
  [[nodiscard]] NicSharing& nics() { return nics_; }

 private:
  struct Message {
    SequenceIndex sequence = kNoSequence;
    net::CollectiveFlows flows;
    std::vector<LinkId> ports;
  };
  const Fleet& fleet_;
  const topology::Topology& topology_;
  des::Simulator& simulator_;
  net::Fabric fabric_;
  net::FlowRuns runs_;
  NicSharing nics_;
  std::deque<Message> messages_;  ///< Stay where they are while under way.
  std::vector<std::size_t> free_;
  std::vector<SequenceIndex> arrived_;
  Bytes sent_{};
};

}  // namespace moesim::serving
