#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <vector>

#include "report/figures.h"
#include "report/message_json.h"
#include "report/number_text.h"
#include "report/result_message.h"
#include "report/sweep_report.h"
#include "report/text_layout.h"
#include "report/version.h"
#include "sweep_result.pb.h"

namespace moesim::report {
namespace {

std::int32_t narrow(std::int64_t value) { return static_cast<std::int32_t>(value); }

void fill_candidate(const sweep::CandidateResult& from, proto::SweepCandidate& to) {
  const sweep::Candidate& c = from.candidate;
  to.set_number(narrow(c.number));
  for (const sweep::Setting& s : c.settings) {
    proto::SweepSetting& setting = *to.add_settings();
    setting.set_field(s.field);
    setting.set_value(s.value);
  }
  // A candidate whose settings make no scenario has no layout.
  const bool has_layout = c.refusal != sweep::Refusal::Input;
  to.set_tp(has_layout ? narrow(c.layout.tp) : 0);
  to.set_pp(has_layout ? narrow(c.layout.pp) : 0);
  to.set_dp(has_layout ? narrow(c.layout.dp) : 0);
  to.set_ep(has_layout ? narrow(c.layout.ep) : 0);
  to.set_replicas(has_layout ? narrow(c.layout.replicas) : 0);
  to.set_gpus(has_layout ? narrow(c.layout.gpus()) : 0);
  to.set_status(c.refusal == sweep::Refusal::None ? "simulated" : "refused");
  to.set_refusal_kind(to_string(c.refusal));
  to.set_refusal_reason(c.reason);
  to.set_rank(narrow(from.rank));
  if (c.refusal != sweep::Refusal::None) return;
  to.set_meets_slo(from.meets_slo);
  to.set_on_pareto_front(from.on_front);
  fill_summary(from.result.run.summary, *to.mutable_summary());
  if (from.result.pricing.known) fill_cost(from.result, *to.mutable_cost());
  fill_memory(from.result.memory, *to.mutable_memory());
  to.set_fingerprint(fmt::format("{:016x}", from.result.run.fingerprint));
}

void fill_head(const sweep::SweepResult& from, proto::SweepResult& to) {
  to.set_name(from.name);
  to.set_description(from.description);
  to.set_moesim_version(version());
  to.set_status(from.feasible() ? "done" : "nothing_feasible");
  to.set_model(from.model);
  to.set_gpu(from.gpu);
  to.set_gpus(narrow(from.gpus));
  to.set_workload(from.workload);
  to.set_objective(from.objective);
  const SimTime none = SimTime::never();
  if (from.slo.ttft != none) to.set_slo_ttft_ms(rounded(from.slo.ttft.milliseconds()));
  if (from.slo.tpot != none) to.set_slo_tpot_ms(rounded(from.slo.tpot.milliseconds()));
  if (from.slo.end_to_end != none) to.set_slo_e2e_ms(rounded(from.slo.end_to_end.milliseconds()));
  to.set_min_slo_attainment(rounded(from.min_slo_attainment));
  to.set_candidates_total(static_cast<std::int32_t>(from.candidates.size()));
  to.set_candidates_simulated(static_cast<std::int32_t>(from.ranking.size()));
  to.set_candidates_refused(
      static_cast<std::int32_t>(from.candidates.size() - from.ranking.size()));
  to.set_combinations_repeated(narrow(from.repeated));
}

std::string joined_settings(const sweep::Candidate& candidate) {
  std::string text;
  for (const sweep::Setting& s : candidate.settings) {
    text += (text.empty() ? "" : " ") + s.field + "=" + s.value;
  }
  return text;
}

}  // namespace

std::string sweep_json(const sweep::SweepResult& sweep) {
  proto::SweepResult message;
  fill_head(sweep, message);
  const auto number_of = [&](std::size_t i) {
    return narrow(sweep.candidates[i].candidate.number);
  };
  if (sweep.feasible()) message.set_best(number_of(sweep.ranking.front()));
  std::int32_t good = 0;
  for (const std::size_t i : sweep.ranking) {
    message.add_ranking(number_of(i));
    if (sweep.candidates[i].meets_slo) ++good;
  }
  message.set_candidates_meeting_slo(good);
  for (const std::size_t i : sweep.front) message.add_pareto_front(number_of(i));
  for (const RefusalGroup& group : refusal_groups(sweep)) {
    proto::RefusalGroup& to = *message.add_refusals();
    to.set_kind(to_string(group.refusal));
    to.set_reason(group.reason);
    to.set_count(static_cast<std::int32_t>(group.candidates.size()));
    for (const std::size_t i : group.candidates) to.add_candidates(number_of(i));
  }
  for (const sweep::CandidateResult& c : sweep.candidates) {
    fill_candidate(c, *message.add_candidates());
  }
  for (const std::string& note : sweep.notes) message.add_notes(note);
  return message_json(message);
}

std::string sweep_csv(const sweep::SweepResult& sweep) {
  std::vector<std::string> head = {
      "number",       "settings",      "tp",   "pp",        "dp",
      "ep",           "replicas",      "rank", "meets_slo", "on_pareto_front",
      "refusal_kind", "refusal_reason"};
  for (const Figure& figure : figures()) head.emplace_back(figure.key);
  head.emplace_back("fingerprint");
  std::string csv = csv_row(head);
  for (const sweep::CandidateResult& r : sweep.candidates) {
    const sweep::Candidate& c = r.candidate;
    const bool ran = c.refusal == sweep::Refusal::None;
    const bool has_layout = c.refusal != sweep::Refusal::Input;
    const auto degree = [&](std::int64_t value) {
      return has_layout ? fmt::format("{}", value) : std::string();
    };
    std::vector<std::string> row = {fmt::format("{}", c.number),
                                    joined_settings(c),
                                    degree(c.layout.tp),
                                    degree(c.layout.pp),
                                    degree(c.layout.dp),
                                    degree(c.layout.ep),
                                    degree(c.layout.replicas),
                                    ran ? fmt::format("{}", r.rank) : "",
                                    ran ? (r.meets_slo ? "true" : "false") : "",
                                    ran ? (r.on_front ? "true" : "false") : "",
                                    to_string(c.refusal),
                                    c.reason};
    for (const Figure& figure : figures()) {
      const auto value = figure_value(figure, r.result);
      row.push_back(ran && value ? plain_number(*value) : "");
    }
    row.push_back(ran ? fmt::format("{:016x}", r.result.run.fingerprint) : "");
    csv += csv_row(row);
  }
  return csv;
}

}  // namespace moesim::report
