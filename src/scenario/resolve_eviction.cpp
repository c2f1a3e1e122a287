// When a scheduler begins a request, and what becomes of one that must make room: as the engine
// does.
#include <fmt/format.h>

#include <functional>
#include <utility>

#include "scenario/outline.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"

namespace moesim::scenario {
namespace {

using catalog::Admission;

constexpr std::int64_t kMostHeld = 100'000;
constexpr QuantityRange kSwapSpace{"1 MB", LowEnd::Included, "1000000 TB"};
constexpr const char* kPath = "deployment.scheduler.";

/// "write X, or an engine that can: A, B".
std::string or_engine(const catalog::Catalog& catalog, const std::string& otherwise,
                      const std::function<bool(const catalog::EngineScheduling&)>& can) {
  std::vector<std::string> names;
  for (const catalog::Engine& engine : catalog.engines) {
    if (can(engine.scheduling)) names.push_back(engine.name);
  }
  return fmt::format("{}, or use an engine that has it: {}", otherwise, alternatives(names));
}

/// The user chooses between keeping blocks to the end and not.
bool offers_capacity_policies(const catalog::EngineScheduling& s) {
  return s.admits(Admission::AsNeeded) && s.admits(Admission::Guaranteed);
}

}  // namespace

void Resolver::resolve_preemption(proto::Scheduler& scheduler) {
  serving::Deployment& d = scenario_.deployment;
  const std::string path = std::string(kPath) + "preemption_mode";
  if (!scheduler.has_preemption_mode()) scheduler.set_preemption_mode(proto::Scheduler::RECOMPUTE);
  if (scheduler.preemption_mode() == proto::Scheduler::RECOMPUTE) {
    if (scheduler.has_swap_space()) {
      error(std::string(kPath) + "swap_space", "does not go with preemption_mode RECOMPUTE",
            "write preemption_mode: SWAP, or leave it out");
    }
    return;
  }
  d.scheduler.preemption = serving::PreemptionMode::Swap;
  if (!d.engine.scheduling.swap) {
    error(path, fmt::format("{} does not swap to the host", d.engine.name),
          or_engine(catalog_, "write RECOMPUTE",
                    [](const catalog::EngineScheduling& s) { return s.swap; }));
  }
  if (!scheduler.has_swap_space()) scheduler.set_swap_space("4 GiB");
  const auto space = checked_quantity<Bytes>(findings_, std::string(kPath) + "swap_space",
                                             scheduler.swap_space(), parse_bytes, kSwapSpace);
  if (space) d.scheduler.swap_space = *space;
}

void Resolver::resolve_admission(proto::Scheduler& scheduler) {
  serving::SchedulerSettings& s = scenario_.deployment.scheduler;
  const catalog::Engine& engine = scenario_.deployment.engine;
  const catalog::EngineScheduling& can = engine.scheduling;
  s.admission = can.admission.front();
  if (offers_capacity_policies(can)) {
    if (!scheduler.has_capacity_scheduler_policy()) {
      scheduler.set_capacity_scheduler_policy(s.admission == Admission::Guaranteed
                                                  ? proto::Scheduler::GUARANTEED_NO_EVICT
                                                  : proto::Scheduler::MAX_UTILIZATION);
    }
    const bool keeps =
        scheduler.capacity_scheduler_policy() == proto::Scheduler::GUARANTEED_NO_EVICT;
    s.admission = keeps ? Admission::Guaranteed : Admission::AsNeeded;
  } else if (scheduler.has_capacity_scheduler_policy()) {
    error(std::string(kPath) + "capacity_scheduler_policy",
          fmt::format("{} has no such choice", engine.name),
          or_engine(catalog_, "leave it out", offers_capacity_policies));
  }
  if (s.admission == Admission::NewTokenRatio) {
    if (!scheduler.has_schedule_conservativeness()) scheduler.set_schedule_conservativeness(1.0);
    s.conservativeness =
        checked_real(findings_, std::string(kPath) + "schedule_conservativeness",
                     scheduler.schedule_conservativeness(), 0.01, LowEnd::Included, 10.0);
  } else if (scheduler.has_schedule_conservativeness()) {
    error(std::string(kPath) + "schedule_conservativeness",
          fmt::format("{} has no such setting", engine.name),
          or_engine(catalog_, "leave it out", [](const catalog::EngineScheduling& e) {
            return e.admits(Admission::NewTokenRatio);
          }));
  }
}

void Resolver::resolve_eviction(proto::Scheduler& scheduler) {
  serving::SchedulerSettings& s = scenario_.deployment.scheduler;
  const catalog::Engine& engine = scenario_.deployment.engine;
  resolve_preemption(scheduler);
  resolve_admission(scheduler);
  if (engine.scheduling.prompts_apart) {
    if (!scheduler.has_enable_mixed_chunk()) scheduler.set_enable_mixed_chunk(false);
    s.prompts_apart = !scheduler.enable_mixed_chunk();
  } else if (scheduler.has_enable_mixed_chunk()) {
    error(std::string(kPath) + "enable_mixed_chunk",
          fmt::format("{} has no such setting", engine.name),
          or_engine(catalog_, "leave it out",
                    [](const catalog::EngineScheduling& e) { return e.prompts_apart; }));
  }
  resolve_recv_interval(scheduler);
  resolve_attention_dp(scheduler);
}

void Resolver::resolve_recv_interval(proto::Scheduler& scheduler) {
  constexpr std::int64_t kMost = 10'000;
  serving::SchedulerSettings& s = scenario_.deployment.scheduler;
  const catalog::Engine& engine = scenario_.deployment.engine;
  const std::string path = std::string(kPath) + "scheduler_recv_interval";
  const auto has = [](const catalog::EngineScheduling& e) { return e.recv_interval; };
  if (has(engine.scheduling)) {
    if (!scheduler.has_scheduler_recv_interval()) scheduler.set_scheduler_recv_interval(1);
    s.recv_interval = checked_count(findings_, path, scheduler.scheduler_recv_interval(), 1, kMost);
    if (s.recv_interval > 1 && has_layout_ && scenario_.deployment.layout.dp > 1) {
      error(path, "does not go with attention data parallelism", "leave it out, or set dp to 1");
    }
  } else if (scheduler.has_scheduler_recv_interval()) {
    error(path, fmt::format("{} has no such setting", engine.name),
          or_engine(catalog_, "leave it out", has));
  }
}

void Resolver::resolve_attention_dp(proto::Scheduler& scheduler) {
  if (!scheduler.has_attention_dp_config()) return;
  const serving::Deployment& d = scenario_.deployment;
  const std::string path = std::string(kPath) + "attention_dp_config";
  if (!d.engine.scheduling.holds_prompts) {
    error(path, fmt::format("{} has no such setting", d.engine.name),
          or_engine(catalog_, "leave it out",
                    [](const catalog::EngineScheduling& e) { return e.holds_prompts; }));
    return;
  }
  proto::AttentionDpConfig& message = *scheduler.mutable_attention_dp_config();
  serving::AttentionDpBalance balance;
  if (!message.has_enable_balance()) message.set_enable_balance(false);
  if (!message.has_timeout_iters()) message.set_timeout_iters(balance.timeout_iters);
  if (!message.has_batching_wait_iters()) {
    message.set_batching_wait_iters(balance.batching_wait_iters);
  }
  balance.on = message.enable_balance();
  balance.timeout_iters = checked_count(findings_, join_path(path, "timeout_iters"),
                                        message.timeout_iters(), 1, kMostHeld);
  balance.batching_wait_iters = checked_count(findings_, join_path(path, "batching_wait_iters"),
                                              message.batching_wait_iters(), 0, kMostHeld);
  if (balance.on && has_layout_ && d.layout.dp == 1) {
    error(join_path(path, "enable_balance"), "dp 1 has no other ranks to wait for",
          "leave it out, or set dp above 1");
  }
  if (balance.on && !scenario_.deployment.scheduler.enable_chunked_prefill) {
    error(join_path(path, "enable_balance"), "does not go with enable_chunked_prefill: false",
          "write true, or leave it out");
  }
  scenario_.deployment.scheduler.attention_dp_balance = balance;
}

}  // namespace moesim::scenario
