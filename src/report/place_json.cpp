// PlaceResult and PlacePlan from a study, and the CSV of its layers.
#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "place_result.pb.h"
#include "placement/replica_shares.h"
#include "report/message_json.h"
#include "report/number_text.h"
#include "report/place_report.h"
#include "report/place_score.h"
#include "report/text_layout.h"
#include "strategies/strategy.h"

namespace moesim::report {
namespace {

using scenario::PlacementTask;
using sweep::JudgedPlacement;
using sweep::WorkloadScore;

double total_moved(const JudgedPlacement& judged) {
  return static_cast<double>(
      std::accumulate(judged.moved.begin(), judged.moved.end(), std::int64_t{0}));
}

void write_shape(const placement::Problem& problem, proto::PlaceShape& out) {
  const placement::PlacementShape& shape = problem.shape;
  out.set_moe_layers(static_cast<double>(shape.moe_layers));
  out.set_experts(static_cast<double>(shape.experts));
  out.set_top_k(static_cast<double>(problem.routing.top_k));
  out.set_gpus(static_cast<double>(shape.ranks));
  const auto& domains = shape.domain_of_rank;
  out.set_nodes(static_cast<double>(1 + *std::max_element(domains.begin(), domains.end())));
  out.set_slots(static_cast<double>(shape.slots()));
  out.set_slots_per_gpu(static_cast<double>(shape.slots_per_rank));
  out.set_redundant_experts(static_cast<double>(shape.slots() - shape.experts));
}

/// One score for all workloads, and each of several.
void write_scores(const JudgedPlacement& judged, const std::vector<WorkloadScore>& scores,
                  proto::PlaceScore* all,
                  google::protobuf::RepeatedPtrField<proto::PlaceScore>& each) {
  if (scores.empty()) return;
  write_score(judged, sweep::mean_score(scores), *all);
  if (scores.size() == 1) return;
  for (const WorkloadScore& s : scores) write_score(judged, s, *each.Add());
}

void write_layers(const JudgedPlacement& judged, proto::PlaceResult& out) {
  const placement::Score& train = judged.planned.front().score;
  for (std::size_t l = 0; l < train.layers.size(); ++l) {
    proto::PlaceLayer& layer = *out.add_layers();
    layer.set_moe_layer(static_cast<double>(l));
    layer.set_balance_train(rounded(train.layers[l].balance));
    if (train.layers[l].tokens) {
      layer.set_node_copies_train(rounded(train.layers[l].tokens->copies()));
    }
    if (!judged.later.empty()) {
      const placement::LayerScore& later = judged.later.front().score.layers[l];
      layer.set_balance_eval(rounded(later.balance));
      if (later.tokens) layer.set_node_copies_eval(rounded(later.tokens->copies()));
    }
    layer.set_slots_moved(static_cast<double>(judged.moved[l]));
  }
}

void write_cost(const PlacementTask& task, const sweep::PlacementStudy& study,
                proto::PlaceResult& out) {
  const placement::PlacementShape& shape = task.problem.shape;
  const double slots = static_cast<double>(shape.slots() * shape.moe_layers);
  out.set_transfer_rounds(static_cast<double>(study.transfer_rounds));
  out.set_slots_moved_share(rounded(total_moved(study.result) / slots));
  if (!study.slot_bytes) return;
  out.set_slot_bytes(*study.slot_bytes);
  const auto redundant = static_cast<double>((shape.slots() - shape.experts) * shape.moe_layers);
  out.set_redundant_bytes_per_gpu(*study.slot_bytes * redundant / static_cast<double>(shape.ranks));
  if (!study.migration) return;
  out.set_bytes_moved(study.migration->bytes.total.base());
  out.set_migration_s(rounded(study.migration->time / kSecond));
}

std::string optional_number(bool there, double value) {
  return there ? plain_number(value) : std::string();
}

}  // namespace

void write_score(const JudgedPlacement& judged, const WorkloadScore& s, proto::PlaceScore& out) {
  out.set_strategy(judged.strategy);
  out.set_workload(s.workload);
  out.set_balance_mean(rounded(s.score.balance_mean));
  out.set_balance_worst(rounded(s.score.balance_worst));
  out.set_slots_moved(total_moved(judged));
  out.set_seconds(rounded(judged.seconds));
  out.set_balancedness(rounded(s.score.balancedness));
  out.set_balance_lower_bound(rounded(s.balance_bound));
  if (s.score.tokens) {
    const placement::TokenScore& t = *s.score.tokens;
    out.set_node_copies_per_token(rounded(t.copies()));
    out.set_copies_random(rounded(t.copies_random));
    out.set_copies_locality(rounded(t.copies_locality));
    out.set_copies_per_pick(rounded(t.copies_per_pick));
    out.set_batch_random(rounded(t.batch_random));
    out.set_batch_locality(rounded(t.batch_locality));
    out.set_batch_optimal(rounded(t.batch_optimal));
  }
  if (s.copies_bound) out.set_copies_lower_bound(rounded(*s.copies_bound));
  if (s.times) {
    proto::PlaceTimes& times = *out.mutable_times();
    times.set_dispatch_s(rounded(s.times->dispatch / kSecond));
    times.set_slowest_rank_s(rounded(s.times->slowest / kSecond));
    times.set_mean_rank_s(rounded(s.times->mean / kSecond));
    times.set_combine_s(rounded(s.times->combine / kSecond));
    times.set_total_s(rounded(s.times->total() / kSecond));
  }
}

void write_moves(const strategies::FrontPoint& point, proto::MovesPoint& out) {
  out.set_moved_share(rounded(point.moved_share));
  out.set_balance_mean(rounded(point.balance_mean));
  out.set_balance_worst(rounded(point.balance_worst));
}

std::string place_json(const PlacementTask& task, const sweep::PlacementStudy& study) {
  proto::PlaceResult out;
  const JudgedPlacement& result = study.result;
  out.set_name(task.name);
  out.set_strategy(result.strategy);
  write_shape(task.problem, *out.mutable_shape());
  out.set_budget_s(task.search.budget);
  out.set_seed(fmt::to_string(task.search.seed));
  out.set_seconds(rounded(result.seconds));
  write_scores(result, result.planned, out.mutable_train(), *out.mutable_workloads());
  if (result.moved_for_later) {
    out.mutable_train()->set_slots_moved(0.0);
    for (proto::PlaceScore& score : *out.mutable_workloads()) score.set_slots_moved(0.0);
  }
  if (!result.later.empty()) {
    write_scores(result, result.later, out.mutable_eval(), *out.mutable_workloads_later());
  }
  for (const JudgedPlacement& other : study.beside) {
    write_score(other, sweep::mean_score(other.planned), *out.add_beside());
    if (!other.later.empty()) {
      write_score(other, sweep::mean_score(other.later), *out.add_beside_later());
    }
  }
  write_cost(task, study, out);
  write_layers(result, out);
  for (const std::string& note : task.notes) out.add_notes(note);
  return message_json(out);
}

std::string place_layers_csv(const sweep::PlacementStudy& study) {
  std::string csv =
      "moe_layer,balance_train,balance_eval,node_copies_train,node_copies_eval,slots_moved\n";
  const JudgedPlacement& judged = study.result;
  const std::vector<placement::LayerScore>& train = judged.planned.front().score.layers;
  for (std::size_t l = 0; l < train.size(); ++l) {
    const placement::LayerScore* later =
        judged.later.empty() ? nullptr : &judged.later.front().score.layers[l];
    const bool traced = train[l].tokens.has_value();
    const bool later_traced = later != nullptr && later->tokens.has_value();
    csv += csv_row({fmt::to_string(l), plain_number(train[l].balance),
                    optional_number(later != nullptr, later != nullptr ? later->balance : 0.0),
                    optional_number(traced, traced ? train[l].tokens->copies() : 0.0),
                    optional_number(later_traced, later_traced ? later->tokens->copies() : 0.0),
                    fmt::to_string(judged.moved[l])});
  }
  return csv;
}

std::string place_plan_json(const PlacementTask& task, const placement::Placement& placement) {
  proto::PlacePlan out;
  out.set_name(task.name);
  out.set_strategy(placement.strategy);
  write_shape(task.problem, *out.mutable_shape());
  const placement::PlacementShape& shape = placement.shape;
  const auto slots = static_cast<std::size_t>(shape.slots());
  const auto experts = static_cast<std::size_t>(shape.experts);
  const std::vector<double> load = strategies::planned_load(task.problem);
  for (std::size_t l = 0; l < static_cast<std::size_t>(shape.moe_layers); ++l) {
    const auto row = std::span(placement.expert_of_slot).subspan(l * slots, slots);
    proto::PlanLayer& layer = *out.add_layers();
    layer.set_moe_layer(static_cast<std::int32_t>(l));
    layer.set_layer(task.layers.moe_layer_ids[l]);
    layer.mutable_expert_of_slot()->Add(row.begin(), row.end());
    std::vector<std::vector<std::int32_t>> slots_of(experts);
    for (std::size_t s = 0; s < slots; ++s) {
      slots_of[static_cast<std::size_t>(row[s])].push_back(static_cast<std::int32_t>(s));
    }
    const std::vector<std::int32_t> of_source =
        placement::replica_of_source(shape, row, std::span(load).subspan(l * experts, experts));
    for (std::size_t e = 0; e < experts; ++e) {
      if (slots_of[e].size() < 2) continue;
      proto::PlanReplicas& replicas = *layer.add_replicated();
      replicas.set_expert(static_cast<std::int32_t>(e));
      replicas.mutable_slots()->Add(slots_of[e].begin(), slots_of[e].end());
      for (std::size_t r = 0; r < static_cast<std::size_t>(shape.ranks); ++r) {
        replicas.add_slot_of_source_rank(of_source[r * experts + e]);
      }
    }
  }
  return message_json(out);
}

}  // namespace moesim::report
