// A deployment of two pools: each is resolved as if it were all, then they are put side by side.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "scenario/message_reader.h"
#include "scenario/resolver.h"
#include "serving/kv_transfer.h"

namespace moesim::scenario {
namespace {

constexpr std::string_view kDeployment = "deployment.";

bool is_layout_of_part(const std::string& note) { return note.starts_with("the layout uses "); }

}  // namespace

bool Resolver::pools_are_whole() {
  const proto::Deployment& outer = message_.deployment();
  if (!outer.has_prefill() || !outer.has_decode()) {
    error(outer.has_prefill() ? "deployment.prefill" : "deployment.decode",
          "is only one of the two pools", "give both prefill and decode, or neither");
  }
  const auto refuse = [&](bool given, const char* field) {
    if (!given) return;
    error(fmt::format("deployment.{}", field), "stands beside pools that have their own",
          "write it in prefill and in decode");
  };
  refuse(outer.has_tp(), "tp");
  refuse(outer.has_pp(), "pp");
  refuse(outer.has_dp(), "dp");
  refuse(outer.has_ep(), "ep");
  refuse(outer.has_replicas(), "replicas");
  refuse(outer.has_autoscaling(), "autoscaling");
  for (const auto& [name, pool] :
       {std::pair("prefill", &outer.prefill()), std::pair("decode", &outer.decode())}) {
    if (pool->has_prefill() || pool->has_decode() || pool->has_kv_transfer()) {
      error(fmt::format("deployment.{}", name), "holds pools itself",
            "pools stand side by side in deployment");
    }
  }
  return !findings_.any_at("deployment");
}

Scenario Resolver::resolve_pool(const char* name, proto::Deployment& pool) {
  proto::Scenario part = message_;
  proto::Deployment& merged = *part.mutable_deployment();
  merged.clear_prefill();
  merged.clear_decode();
  merged.clear_kv_transfer();
  merged.MergeFrom(pool);
  Findings found(findings_.file());
  Scenario scenario = Resolver(part, origin_, catalog_, found).resolve();
  try {
    found.throw_if_any();
  } catch (const InputError& mistakes) {
    for (const Diagnostic& d : mistakes.diagnostics()) {
      if (d.file != findings_.file()) {
        findings_.add(d);
      } else if (d.field.starts_with(kDeployment) || d.field == "deployment") {
        error(fmt::format("deployment.{}{}", name, d.field.substr(kDeployment.size() - 1)),
              d.message, d.hint);
      } else {
        error(d.field, d.message, d.hint);
      }
    }
  }
  pool = part.deployment();
  part.clear_deployment();
  *part.mutable_deployment() = message_.deployment();
  message_ = std::move(part);
  return scenario;
}

Scenario Resolver::resolve_pools() {
  if (!pools_are_whole()) return {};
  proto::Deployment outer = message_.deployment();
  const Scenario prefill = resolve_pool("prefill", *outer.mutable_prefill());
  scenario_ = resolve_pool("decode", *outer.mutable_decode());
  proto::KvTransfer& transfer = *outer.mutable_kv_transfer();
  if (!transfer.has_mode()) transfer.set_mode(proto::KvTransfer::AT_END);
  *message_.mutable_deployment() = outer;
  scenario_.resolved_text = to_text(message_);
  if (findings_.any()) return std::move(scenario_);
  scenario_.kv_transfer.mode = transfer.mode() == proto::KvTransfer::LAYERWISE
                                   ? serving::KvTransferMode::Layerwise
                                   : serving::KvTransferMode::AtEnd;
  serving::Deployment first = prefill.deployment;
  serving::Deployment& second = scenario_.deployment;
  first.role = serving::PoolRole::Prefill;
  second.role = serving::PoolRole::Decode;
  second.first_gpu = first.layout.gpus();
  second.first_instance = first.layout.replicas;
  scenario_.pools = {first, second};
  check_pools();
  check_kv_room("prefill", scenario_.pools.front());
  check_kv_room("decode", scenario_.pools.back());
  return std::move(scenario_);
}

void Resolver::check_pools() {
  const serving::Deployment& prefill = scenario_.pools.front();
  const serving::Deployment& decode = scenario_.pools.back();
  const std::int64_t gpus = prefill.layout.gpus() + decode.layout.gpus();
  const std::int64_t there = decode.cluster.gpus();
  if (gpus > there) {
    error("deployment",
          fmt::format("the pools take {} and {} GPUs, the cluster has {}", prefill.layout.gpus(),
                      decode.layout.gpus(), there),
          fmt::format("lower their replicas or set cluster.nodes to {}",
                      (gpus + decode.cluster.gpus_per_node - 1) / decode.cluster.gpus_per_node));
  }
  for (const serving::HandoverProblem& problem : serving::check_handover(prefill, decode)) {
    error("deployment.decode." + problem.field, problem.message, problem.hint);
  }
  std::erase_if(scenario_.notes, is_layout_of_part);
  if (gpus < there) note(fmt::format("the pools use {} of the cluster's {} GPUs", gpus, there));
  note("dispatch and combine do not slow KV transfers on the same NICs, nor these those");
}

}  // namespace moesim::scenario
