#include "report/result_message.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include <fmt/format.h>
#include <google/protobuf/text_format.h>

#include "core/check.h"
#include "report/band_report.h"
#include "report/fabric_use.h"
#include "report/interval_report.h"
#include "report/message_json.h"
#include "report/prefix_figures.h"
#include "report/result_json.h"
#include "report/scaling_figures.h"
#include "report/step_names.h"
#include "report/version.h"

namespace moesim::report {
namespace {

using serving::StepPart;

void fill(const serving::Distribution& from, proto::Distribution& to) {
  to.set_mean(rounded(from.mean_ms));
  to.set_p50(rounded(from.p50_ms));
  to.set_p90(rounded(from.p90_ms));
  to.set_p95(rounded(from.p95_ms));
  to.set_p99(rounded(from.p99_ms));
}

void fill(const sweep::DeploymentFacts& from, proto::Deployed& to) {
  to.set_model(from.model);
  to.set_total_parameters(from.total_parameters);
  to.set_active_parameters(from.active_parameters);
  to.set_precision(from.precision);
  to.set_gpu(from.gpu);
  to.set_gpus(static_cast<std::int32_t>(from.gpus));
  to.set_nodes(static_cast<std::int32_t>(from.nodes));
  to.set_layout(from.layout);
  to.set_engine(from.engine);
  to.set_flops_per_token(rounded(from.flops_per_token));
  to.set_bytes_per_token_at_batch(rounded(from.bytes_per_token_at_batch));
  to.set_mean_batch_tokens(rounded(from.mean_batch_tokens));
  to.set_workload(from.workload);
}

void fill(const serving::TimeBreakdown& from, proto::TimeBreakdown& to) {
  auto part = [&](StepPart p) { return rounded(from.parts[static_cast<std::size_t>(p)]); };
  to.set_attention(part(StepPart::Attention));
  to.set_feed_forward(part(StepPart::FeedForward));
  to.set_experts(part(StepPart::Experts));
  to.set_dispatch(part(StepPart::Dispatch));
  to.set_combine(part(StepPart::Combine));
  to.set_all_reduce(part(StepPart::AllReduce));
  to.set_waiting_for_slowest_rank(part(StepPart::Waiting));
  to.set_head(part(StepPart::Head));
  to.set_engine_overhead(part(StepPart::Overhead));
  if (part(StepPart::Migration) > 0.0) to.set_moving_experts(part(StepPart::Migration));
  if (part(StepPart::Swap) > 0.0) to.set_swapping(part(StepPart::Swap));
  to.set_pipeline_bubble(rounded(from.pipeline_bubble));
  to.set_idle(rounded(from.idle));
  to.set_kv_wait_ms(rounded(from.kv_wait_ms));
  to.set_mean_iteration_ms(rounded(from.mean_iteration_ms));
  to.set_iterations(static_cast<double>(from.iterations));
  if (from.split_iterations > 0) {
    to.set_hidden_communication(rounded(from.hidden));
    to.set_split_iterations(static_cast<double>(from.split_iterations));
  }
  std::vector<std::tuple<double, std::size_t, std::size_t>> limits;
  for (std::size_t p = 0; p < serving::kStepParts; ++p) {
    for (std::size_t l = 0; l < serving::kLimits; ++l) {
      if (from.limits[p][l] > 0.0) limits.emplace_back(-from.limits[p][l], p, l);
    }
  }
  std::sort(limits.begin(), limits.end());
  for (const auto& [share, p, l] : limits) {
    proto::BindingLimit& limit = *to.add_binding();
    limit.set_part(std::string(kPartNames[p]));
    limit.set_limit(std::string(kLimitNames[l]));
    limit.set_share(rounded(-share));
  }
}

void fill(const serving::PricedBy& from, proto::OperatorModel& to) {
  to.set_part(std::string(kPartNames[static_cast<std::size_t>(from.part)]));
  to.set_operation(from.operation);
  to.set_curve(from.curve);
  to.set_estimate(from.estimate);
  if (from.curve.empty()) return;
  to.set_median_error(rounded(from.band.median));
  to.set_p90_error(rounded(from.band.p90));
  to.set_low(rounded(from.band.low));
  to.set_high(rounded(from.band.high));
}

void fill(const serving::ExpertSummary& from, proto::ExpertReport& to) {
  to.set_balancedness(rounded(from.balancedness));
  to.set_worst_layer(static_cast<std::int32_t>(from.worst_layer));
  to.set_worst_layer_balancedness(rounded(from.worst_balancedness));
  to.set_internode_bytes_per_token(rounded(from.internode_bytes_per_token));
  to.set_token_layers_drawn(static_cast<double>(from.token_layers));
  to.set_placement(from.placement);
  if (!from.rebalancing) return;
  const serving::RebalancingSummary& done = *from.rebalancing;
  proto::ExpertRebalancingReport& report = *to.mutable_rebalancing();
  report.set_looks(static_cast<double>(done.looks));
  report.set_rebalancings(static_cast<double>(done.rebalancings));
  report.set_slots_moved(static_cast<double>(done.slots_moved));
  report.set_moved_bytes(rounded(done.moved / kByte));
  report.set_lost_s(rounded(done.lost / kSecond));
  report.set_balancedness_before(rounded(done.mean_before()));
  report.set_balancedness_after(rounded(done.mean_after()));
}

void fill_energy(const sweep::ScenarioResult& from, proto::Energy& to) {
  const cost::Energy& energy = from.energy;
  to.set_board_watts(rounded(energy.board / kWatt));
  to.set_facility_watts(rounded(energy.facility / kWatt));
  to.set_kwh_per_month(rounded(energy.all_gpus_kwh_per_month));
  if (energy.joules_per_output_token > 0) {
    to.set_joules_per_output_token(rounded(energy.joules_per_output_token));
  }
  to.set_usd_per_month(rounded(energy.usd_per_month));
  to.set_usd_per_kwh(rounded(from.pricing.usd_per_kwh));
  to.set_estimate(energy.estimate);
  to.set_error(rounded(energy.error));
}

void fill(const serving::KvSummary& from, proto::KvCache& to) {
  to.set_blocks_per_rank(static_cast<double>(from.blocks_per_rank));
  to.set_peak_blocks(static_cast<double>(from.peak_blocks));
  to.set_preemptions(static_cast<double>(from.preemptions));
  if (!from.swap) return;
  proto::SwapReport& swap = *to.mutable_swap();
  swap.set_blocks_per_rank(static_cast<double>(from.swap->room));
  swap.set_peak_blocks(static_cast<double>(from.swap->peak));
  swap.set_swaps(static_cast<double>(from.swap->swaps));
  swap.set_blocks_moved(static_cast<double>(from.swap->moved));
}

void fill(const serving::ClassSummary& from, proto::ClassReport& to) {
  to.set_name(from.name);
  to.set_priority(from.priority);
  to.set_requests_completed(static_cast<double>(from.requests_completed));
  to.set_requests_measured(static_cast<double>(from.requests_measured));
  to.set_requests_per_s(rounded(from.requests_per_s));
  to.set_goodput_requests_per_s(rounded(from.goodput_requests_per_s));
  if (from.requests_measured > 0) to.set_slo_attainment(rounded(from.slo_attainment));
  fill(from.ttft, *to.mutable_ttft_ms());
  fill(from.tpot, *to.mutable_tpot_ms());
  fill(from.end_to_end, *to.mutable_e2e_ms());
  to.set_preemptions(static_cast<double>(from.preemptions));
}

void fill_pools(const sweep::ScenarioResult& from, proto::Result& to) {
  if (!from.run.handover) return;
  for (const serving::PoolResult& pool : from.run.pools) {
    const bool prefills = pool.role == serving::PoolRole::Prefill;
    const double gpus = pool.gpus_held;
    proto::PoolReport& report = *to.add_pools();
    report.set_role(prefills ? "prefill" : "decode");
    report.set_gpus(static_cast<std::int32_t>(pool.gpus));
    report.set_tokens_per_s_per_gpu(rounded(
        (prefills ? from.run.summary.input_tokens_per_s : from.run.summary.output_tokens_per_s) /
        gpus));
    fill_memory(pool.memory, *report.mutable_memory());
    report.mutable_memory()->set_pool(report.role());
    fill(pool.time, *report.mutable_time_breakdown());
    if (pool.experts.present) fill(pool.experts, *report.mutable_experts());
    fill(pool.kv, *report.mutable_kv_cache());
    if (pool.exchanges_longer_by) {
      report.set_exchanges_longer_by(rounded(*pool.exchanges_longer_by));
    }
    if (from.pricing.known) {
      const auto p = static_cast<std::size_t>(to.pools_size() - 1);
      report.set_usd_per_month(rounded(from.pool_usd_per_month[p]));
    }
  }
  const serving::HandoverSummary& moved = *from.run.handover;
  proto::KvTransferReport& report = *to.mutable_kv_transfer();
  const auto requests = static_cast<double>(moved.requests);
  report.set_requests(requests);
  if (moved.requests == 0) return;
  report.set_prefill_ms(rounded(moved.prefill / 1.0_ms / requests));
  report.set_wait_ms(rounded(moved.wait / 1.0_ms / requests));
  report.set_transfer_ms(rounded(moved.transfer / 1.0_ms / requests));
  report.set_bytes_per_request(rounded(moved.bytes / kByte / requests));
}

void fill_run(const sweep::ScenarioResult& from, proto::Result& to) {
  fill_summary(from.run.summary, *to.mutable_summary());
  if (from.pricing.known) fill_cost(from, *to.mutable_cost());
  if (from.energy.known) fill_energy(from, *to.mutable_energy());
  if (from.run.summary.intervals.present) {
    fill_intervals(from.run.summary.intervals, *to.mutable_intervals());
  }
  if (!from.bands.empty()) fill_bands(from, *to.mutable_likely());
  fill(from.run.time, *to.mutable_time_breakdown());
  for (const serving::PricedBy& each : from.run.priced_by) fill(each, *to.add_operators());
  if (from.run.experts.present) fill(from.run.experts, *to.mutable_experts());
  if (from.run.fabric.duration > Seconds{}) {
    write_use(from.run.fabric, from.run.time, 1, *to.mutable_links());
  }
  fill(from.run.kv, *to.mutable_kv_cache());
  for (const serving::ClassSummary& each : from.run.classes) fill(each, *to.add_classes());
  fill_pools(from, to);
  fill_scaling(from.run, to);
  if (from.run.prefix) fill_prefixes(*from.run.prefix, *to.mutable_prefix_cache());
  to.set_fingerprint(fmt::format("{:016x}", from.run.fingerprint));
  to.set_events(static_cast<double>(from.run.events));
}

}  // namespace

void fill_summary(const serving::Summary& from, proto::Summary& to) {
  to.set_requests_arrived(static_cast<std::int32_t>(from.requests_arrived));
  to.set_requests_completed(static_cast<std::int32_t>(from.requests_completed));
  to.set_requests_rejected(static_cast<std::int32_t>(from.requests_rejected));
  to.set_requests_measured(static_cast<std::int32_t>(from.requests_measured));
  to.set_measured_s(rounded(from.measured / kSecond));
  to.set_requests_per_s(rounded(from.requests_per_s));
  to.set_output_tokens_per_s(rounded(from.output_tokens_per_s));
  to.set_input_tokens_per_s(rounded(from.input_tokens_per_s));
  to.set_total_tokens_per_s(rounded(from.total_tokens_per_s));
  to.set_tokens_per_s_per_gpu(rounded(from.tokens_per_s_per_gpu));
  to.set_tokens_per_s_per_user(rounded(from.tokens_per_s_per_user));
  to.set_goodput_requests_per_s(rounded(from.goodput_requests_per_s));
  if (from.requests_measured > 0) to.set_slo_attainment(rounded(from.slo_attainment));
  fill(from.ttft, *to.mutable_ttft_ms());
  fill(from.tpot, *to.mutable_tpot_ms());
  fill(from.itl, *to.mutable_itl_ms());
  fill(from.end_to_end, *to.mutable_e2e_ms());
}

void fill_cost(const sweep::ScenarioResult& from, proto::Cost& to) {
  to.set_usd_per_hour(rounded(from.bill.usd_per_hour));
  to.set_usd_per_month(rounded(from.bill.usd_per_month));
  to.set_hours_per_month(rounded(from.pricing.hours_per_month));
  // Nothing served has no price: absent, not free.
  if (from.run.summary.input_tokens_per_s > 0) {
    to.set_usd_per_million_input_tokens(rounded(from.bill.usd_per_million_input_tokens));
  }
  if (from.run.summary.output_tokens_per_s > 0) {
    to.set_usd_per_million_output_tokens(rounded(from.bill.usd_per_million_output_tokens));
    to.set_usd_per_million_output_tokens_all_in(
        rounded(from.bill.usd_per_million_output_tokens_all_in));
  }
  to.set_usd_per_gpu_hour(rounded(from.pricing.per_gpu / 1.0_USDph));
  to.set_price_source(price_source(from.pricing));
}

void fill_memory(const plan::MemoryReport& from, proto::PoolMemory& to) {
  to.set_pool("all");
  to.set_verdict(plan::to_string(from.verdict));
  to.set_reason(from.reason);
  to.set_gpu_bytes(rounded(from.gpu_memory / kByte));
  to.set_budget_bytes(rounded(from.budget / kByte));
  to.set_weights_bytes(rounded(from.per_gpu.weights() / kByte));
  to.set_workspace_bytes(rounded(from.per_gpu.workspace() / kByte));
  to.set_kv_bytes(rounded(from.kv_room / kByte));
  to.set_kv_bytes_per_token(from.kv_bytes_per_token.base());
  to.set_kv_capacity_tokens(static_cast<double>(from.kv_capacity_tokens));
}

proto::Result result_message(const sweep::ScenarioResult& from) {
  proto::Result to;
  to.set_name(from.name);
  to.set_description(from.description);
  to.set_moesim_version(version());
  to.set_status(from.fits ? "done" : "does_not_fit");
  fill(from.facts, *to.mutable_deployed());
  fill_memory(from.memory, *to.add_memory());
  if (from.fits) fill_run(from, to);
  for (const std::string& note : from.notes) to.add_notes(note);
  const bool parsed =
      google::protobuf::TextFormat::ParseFromString(from.scenario_text, to.mutable_scenario());
  MOESIM_CHECK(parsed, "the resolved scenario does not parse");
  return to;
}

}  // namespace moesim::report
