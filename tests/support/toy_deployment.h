// Toy deployments for tests of serving: round numbers, ideal hardware (efficiencies 1, no launch
// cost).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "plan/memory.h"
#include "routing/popularity.h"
#include "serving/deployment.h"
#include "serving/simulation.h"
#include "tests/support/toy_worlds.h"
#include "topology/topology.h"
#include "workload/request_source.h"

namespace moesim::test {

/// Two dense layers: hidden 1000, 10 heads of 100, 2 KV heads, feed-forward 4000, vocabulary 10000.
inline catalog::Model toy_dense_model() {
  catalog::Model m;
  m.name = "toy-dense";
  m.hidden = 1000;
  m.vocabulary = 10000;
  m.context_length = 1'000'000;
  catalog::LayerKind kind;
  kind.attention = {.kind = catalog::AttentionKind::Gqa,
                    .heads = 10,
                    .kv_heads = 2,
                    .head_dim = 100,
                    .v_head_dim = 100};
  kind.feed_forward.dense_intermediate = 4000;
  m.kinds.push_back(kind);
  m.runs.push_back({.kind = 0, .count = 2});
  return m;
}

/// The same with two MoE layers: 16 experts of width 500, top-2.
inline catalog::Model toy_moe_model() {
  catalog::Model m = toy_dense_model();
  m.name = "toy-moe";
  catalog::FeedForward& block = m.kinds[0].feed_forward;
  block.dense_intermediate = 0;
  block.routed_experts = 16;
  block.expert_intermediate = 500;
  block.top_k = 2;
  return m;
}

inline catalog::Precision toy_precision() {
  const catalog::WeightFormat bf16 = toy_format(16, catalog::MathFormat::Bf16);
  catalog::Precision p;
  p.name = "bf16";
  p.attention = p.dense_ffn = p.routed_experts = p.shared_experts = bf16;
  p.router = p.embedding = p.head = p.norms = bf16;
  return p;
}

inline serving::Deployment toy_deployment(catalog::Model model, plan::Layout layout) {
  serving::Deployment d;
  d.model = std::move(model);
  d.precision = toy_precision();
  d.engine.name = "toy engine";
  const std::int64_t per_node = layout.gpus() < 4 ? layout.gpus() : 4;
  d.cluster = toy_cluster((layout.gpus() + per_node - 1) / per_node, per_node);
  d.layout = layout;
  if (d.model.is_moe()) {
    const auto& block = d.model.kinds[0].feed_forward;
    const auto n = static_cast<std::size_t>(d.model.moe_layers() * block.routed_experts);
    d.experts.popularity = {
        .source = "uniform",
        .share = std::vector<double>(n, 1.0 / static_cast<double>(block.routed_experts))};
  }
  return d;
}

/// A memory plan of `blocks` KV blocks a rank, without planning.
inline plan::MemoryReport toy_memory(std::int64_t blocks, std::int64_t block_size = 16) {
  plan::MemoryReport m;
  m.verdict = plan::Verdict::Fits;
  m.kv_blocks_per_rank = blocks;
  m.kv_capacity_tokens_per_rank = blocks * block_size;
  return m;
}

/// Requests from a list.
class ListSource final : public workload::RequestSource {
 public:
  explicit ListSource(std::vector<workload::Request> requests) : requests_(std::move(requests)) {}
  [[nodiscard]] std::optional<workload::Request> next() override {
    if (at_ == requests_.size()) return std::nullopt;
    return requests_[at_++];
  }

 private:
  std::vector<workload::Request> requests_;
  std::size_t at_ = 0;
};

inline workload::Request request_at(Seconds arrival, std::int32_t input, std::int32_t output) {
  workload::Request r;
  r.arrival = SimTime::from(arrival);
  r.input_tokens = input;
  r.output_tokens = output;
  return r;
}

struct RunOptions {
  std::int64_t blocks = 1'000'000;
  std::int64_t concurrency = 0;
  std::uint64_t seed = 1;
  serving::SloLimits slo{};
  SimTime warm_up{};
  SimTime duration = SimTime::never();
  serving::TimelineSettings timeline{};
  std::vector<serving::ServiceClass> classes{};
};

inline serving::RunResult run(const serving::Deployment& d, std::vector<workload::Request> requests,
                              const RunOptions& options = {}) {
  const topology::Topology topology(d.cluster);
  ListSource source(std::move(requests));
  return serving::simulate(
      d, topology, toy_memory(options.blocks, d.scheduler.block_size),
      {.source = &source, .concurrency = options.concurrency, .classes = options.classes},
      options.slo,
      {.seed = options.seed,
       .warm_up = options.warm_up,
       .duration = options.duration,
       .timeline = options.timeline});
}

}  // namespace moesim::test
