// A deployment of two pools: each is resolved as if it were all, then they are put side by side.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "scenario/message_reader.h"
#include "scenario/resolver.h"
#include "serving/joint_cluster.h"
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
  refuse(outer.has_cluster(), "cluster");
  refuse(outer.has_gpu_price(), "gpu_price");
  check_own_nodes();
  for (const auto& [name, pool] :
       {std::pair("prefill", &outer.prefill()), std::pair("decode", &outer.decode())}) {
    if (pool->has_prefill() || pool->has_decode() || pool->has_kv_transfer()) {
      error(fmt::format("deployment.{}", name), "holds pools itself",
            "pools stand side by side in deployment");
    }
  }
  return !findings_.any_at("deployment") && !findings_.any_at("cluster") &&
         !findings_.any_at("pricing");
}

void Resolver::check_own_nodes() {
  const proto::Deployment& outer = message_.deployment();
  const bool own = outer.prefill().has_cluster();
  if (own != outer.decode().has_cluster()) {
    error(own ? "deployment.prefill.cluster" : "deployment.decode.cluster",
          "is only one of the two pools' nodes", "write cluster in both prefill and decode");
  }
  for (const auto& [name, pool] :
       {std::pair("prefill", &outer.prefill()), std::pair("decode", &outer.decode())}) {
    if (!pool->has_gpu_price() || pool->has_cluster()) continue;
    error(fmt::format("deployment.{}.gpu_price", name), "is for pools with nodes of their own",
          "use pricing.gpu_price");
  }
  if (!own) return;
  if (message_.cluster().has_nodes()) {
    error("cluster.nodes", "stands beside pools that have nodes of their own",
          "write nodes in deployment.prefill.cluster and deployment.decode.cluster");
  }
  if (message_.pricing().has_gpu_price()) {
    error("pricing.gpu_price", "would be one rent for GPUs of two kinds",
          "write gpu_price in prefill and decode");
  }
}

Scenario Resolver::resolve_pool(const char* name, proto::Deployment& pool) {
  proto::Scenario part = message_;
  proto::Deployment& merged = *part.mutable_deployment();
  merged.clear_prefill();
  merged.clear_decode();
  merged.clear_kv_transfer();
  merged.MergeFrom(pool);
  merged.clear_cluster();
  merged.clear_gpu_price();
  const bool own = pool.has_cluster();
  if (own) part.mutable_cluster()->MergeFrom(pool.cluster());
  if (pool.has_gpu_price()) {
    part.mutable_pricing()->clear_provider();
    part.mutable_pricing()->clear_term();
    part.mutable_pricing()->clear_date();
    part.mutable_pricing()->set_gpu_price(pool.gpu_price());
  }
  const std::string rent = pool.gpu_price();
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
      } else if (own && (d.field == "cluster" || d.field.starts_with("cluster."))) {
        error(fmt::format("deployment.{}.{}", name, d.field), d.message, d.hint);
      } else if (!rent.empty() && d.field == "pricing.gpu_price") {
        error(fmt::format("deployment.{}.gpu_price", name), d.message, d.hint);
      } else {
        error(d.field, d.message, d.hint);
      }
    }
  }
  pool = part.deployment();
  if (own) {
    *pool.mutable_cluster() = part.cluster();
    if (!rent.empty()) pool.set_gpu_price(rent);
    // The other pool starts from what the scenario says.
    part.clear_cluster();
    if (message_.has_cluster()) *part.mutable_cluster() = message_.cluster();
    proto::Pricing pricing = message_.pricing();
    pricing.set_hours_per_month(part.pricing().hours_per_month());
    pricing.set_usd_per_kwh(part.pricing().usd_per_kwh());
    *part.mutable_pricing() = pricing;
  }
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
  if (outer.prefill().has_cluster()) join_pools(prefill, first);
  scenario_.pools = {first, second};
  check_pools();
  check_kv_room("prefill", scenario_.pools.front());
  check_kv_room("decode", scenario_.pools.back());
  return std::move(scenario_);
}

void Resolver::join_pools(const Scenario& prefill, serving::Deployment& first) {
  serving::Deployment& second = scenario_.deployment;
  for (const serving::HandoverProblem& problem :
       serving::check_joint(first.cluster, second.cluster)) {
    error("deployment.decode.cluster." + problem.field, problem.message, problem.hint);
  }
  if (first.cluster.gpus() + second.cluster.gpus() > kMaxGpus) {
    error("deployment.decode.cluster.nodes",
          fmt::format("the pools have {} GPUs together, at most {}",
                      first.cluster.gpus() + second.cluster.gpus(), kMaxGpus));
  }
  if (findings_.any()) return;
  serving::join_nodes(first, second);
  scenario_.pool_pricing = {prefill.pricing, scenario_.pricing};
  for (const std::string& said : prefill.notes) {
    if (std::find(scenario_.notes.begin(), scenario_.notes.end(), said) == scenario_.notes.end()) {
      note(said);
    }
  }
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
  for (const auto& [name, pool] : {std::pair("prefill", &prefill), std::pair("decode", &decode)}) {
    if (pool->scheduler.recv_interval == 1) continue;
    error(fmt::format("deployment.{}.scheduler.scheduler_recv_interval", name),
          "does nothing in a pool: prefill pools do not decode, decode pools receive caches",
          "leave it out");
  }
  for (const serving::HandoverProblem& problem : serving::check_handover(prefill, decode)) {
    error("deployment.decode." + problem.field, problem.message, problem.hint);
  }
  std::erase_if(scenario_.notes, is_layout_of_part);
  if (gpus < there) note(fmt::format("the pools use {} of the cluster's {} GPUs", gpus, there));
}

}  // namespace moesim::scenario
