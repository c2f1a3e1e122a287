#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "report/number_text.h"
#include "report/scatter.h"
#include "report/sweep_report.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

using sweep::CandidateResult;
using sweep::SweepResult;

constexpr std::size_t kShownCandidates = 15;
constexpr std::size_t kShownReasons = 8;
constexpr std::size_t kLetters = 26;

/// "precision=bf16 nodes=2": the last part of each field's path; of the axes that vary, or of those
/// that are the same for all candidates.
std::string settings_text(const sweep::Candidate& candidate, bool varying = true) {
  std::string text;
  for (const sweep::Setting& s : candidate.settings) {
    if (s.varies != varying) continue;
    const std::size_t dot = s.field.rfind('.');
    const std::string name = dot == std::string::npos ? s.field : s.field.substr(dot + 1);
    text += (text.empty() ? "" : " ") + name + "=" + s.value;
  }
  return text;
}

std::string layout_text(const sweep::Candidate& candidate) {
  return plan::to_string(candidate.layout);
}

/// A, B, ... along the front, * from the 27th on; blank elsewhere.
char front_letter(const SweepResult& sweep, std::size_t index) {
  const auto at = std::find(sweep.front.begin(), sweep.front.end(), index);
  if (at == sweep.front.end()) return ' ';
  const auto place = static_cast<std::size_t>(at - sweep.front.begin());
  return place < kLetters ? static_cast<char>('A' + place) : '*';
}

std::string limit_text(const char* name, SimTime limit) {
  if (limit == SimTime::never()) return {};
  return fmt::format("{} {} ms, ", name, number_text(limit.milliseconds()));
}

std::size_t meeting_slo(const SweepResult& sweep) {
  return static_cast<std::size_t>(
      std::count_if(sweep.ranking.begin(), sweep.ranking.end(),
                    [&](std::size_t i) { return sweep.candidates[i].meets_slo; }));
}

bool has_slo(const SweepResult& sweep) {
  const SimTime none = SimTime::never();
  return sweep.slo.ttft != none || sweep.slo.tpot != none || sweep.slo.end_to_end != none;
}

std::string head(const SweepResult& s) {
  std::string page = s.name + "\n";
  for (const std::string& line : wrapped(s.description, kPageWidth)) {
    if (!line.empty()) page += line + "\n";
  }
  const std::string fixed =
      s.candidates.empty() ? "" : settings_text(s.candidates.front().candidate, false);
  page += "\n" + labelled("base", fmt::format("{} on {} x {}{}", s.model, s.gpus, s.gpu,
                                              fixed.empty() ? "" : ", " + fixed));
  page += labelled("workload", s.workload);
  if (has_slo(s)) {
    page +=
        labelled("SLO", fmt::format("{}{}{}for at least {} of the requests",
                                    limit_text("TTFT", s.slo.ttft), limit_text("TPOT", s.slo.tpot),
                                    limit_text("end to end", s.slo.end_to_end),
                                    percent_text(s.min_slo_attainment)));
  } else {
    page += labelled("SLO", "none: every answer is good");
  }
  page += labelled("ranked by", s.objective == "usd_per_million_output_tokens"
                                    ? s.objective + ", the whole bill on output tokens"
                                    : s.objective);
  std::string counts = fmt::format("{}: {} simulated, {} refused", s.candidates.size(),
                                   s.ranking.size(), s.candidates.size() - s.ranking.size());
  if (has_slo(s)) counts += fmt::format("; {} meet the SLO", meeting_slo(s));
  if (s.repeated > 0) counts += fmt::format("; {} more name one of these again", s.repeated);
  return page + labelled("candidates", counts);
}

std::string output_price(const sweep::ScenarioResult& r) {
  return r.pricing.known ? usd_text(r.bill.usd_per_million_output_tokens_all_in) : "-";
}

std::string candidate_row(const SweepResult& s, std::size_t index) {
  const CandidateResult& c = s.candidates[index];
  const serving::Summary& sum = c.result.run.summary;
  const auto number = [](double v) { return number_text(v, 5); };
  std::string row = fmt::format("{:>4} {} {}", c.rank, front_letter(s, index),
                                left(layout_text(c.candidate), 21));
  for (const std::string& text :
       {output_price(c.result), number(sum.output_tokens_per_s), number(sum.tokens_per_s_per_gpu),
        number(sum.tokens_per_s_per_user), number(sum.ttft.p99_ms), number(sum.tpot.p99_ms)}) {
    row += right(text, 10);
  }
  row += right(percent_text(sum.slo_attainment), 9) + (c.meets_slo ? "" : " !");
  const std::string settings = settings_text(c.candidate);
  if (!settings.empty()) row += "\n" + std::string(7, ' ') + settings;
  return row + "\n";
}

std::string ranking(const SweepResult& s) {
  std::string page = "\n" + left("rank   layout", 28);
  for (const char* name :
       {"USD/M out", "output/s", "per GPU", "per user", "TTFT p99", "TPOT p99"}) {
    page += right(name, 10);
  }
  page += right("in SLO", 9) + "\n" + left("", 28);
  for (const char* unit : {"USD", "tokens/s", "tokens/s", "tokens/s", "ms", "ms"}) {
    page += right(unit, 10);
  }
  page += "\n";
  const std::size_t shown = std::min(kShownCandidates, s.ranking.size());
  for (std::size_t r = 0; r < shown; ++r) page += candidate_row(s, s.ranking[r]);
  if (shown < s.ranking.size()) {
    page += fmt::format("       and {} more: --format csv lists all\n", s.ranking.size() - shown);
  }
  if (meeting_slo(s) < s.ranking.size()) page += "       ! misses the SLO\n";
  return page;
}

std::string front(const SweepResult& s) {
  std::vector<ScatterPoint> points;
  for (const std::size_t i : s.ranking) {
    const CandidateResult& c = s.candidates[i];
    const serving::Summary& sum = c.result.run.summary;
    const char mark = c.on_front ? front_letter(s, i) : c.meets_slo ? 'o' : 'x';
    points.push_back({.x = sum.tokens_per_s_per_user,
                      .y = sum.tokens_per_s_per_gpu,
                      .mark = mark,
                      .importance = c.on_front    ? 2
                                    : c.meets_slo ? 1
                                                  : 0});
  }
  std::string page =
      "\n" + scatter(points, "output tokens/s per user", "output tokens/s per GPU", 72, 22);
  page += "   letters: Pareto front, none better in both";
  page += has_slo(s) ? ";  o meets the SLO;  x misses it\n\n" : ";  o others\n\n";
  for (const std::size_t i : s.front) {
    const CandidateResult& c = s.candidates[i];
    const serving::Summary& sum = c.result.run.summary;
    page += fmt::format(
        "   {} {}{} per GPU{} per user{} USD/M   rank {}{}\n", front_letter(s, i),
        left(layout_text(c.candidate), 22), right(number_text(sum.tokens_per_s_per_gpu, 5), 10),
        right(number_text(sum.tokens_per_s_per_user, 5), 10), right(output_price(c.result), 10),
        c.rank, c.meets_slo ? "" : " (misses the SLO)");
    const std::string settings = settings_text(c.candidate);
    if (!settings.empty()) page += std::string(5, ' ') + settings + "\n";
  }
  return page;
}

std::string refusals(const SweepResult& s) {
  const std::vector<RefusalGroup> groups = refusal_groups(s);
  if (groups.empty()) return {};
  std::string page = "\nrefused\n";
  std::size_t shown = 0, rest = 0;
  for (const RefusalGroup& group : groups) {
    if (++shown > kShownReasons) {
      rest += group.candidates.size();
      continue;
    }
    const sweep::Candidate& first = s.candidates[group.candidates.front()].candidate;
    const std::string example =
        first.refusal == sweep::Refusal::Input ? settings_text(first) : layout_text(first);
    page += labelled(fmt::format("{:>6} x", group.candidates.size()),
                     fmt::format("{}: {} ({}{})", to_string(group.refusal), group.reason, example,
                                 group.candidates.size() > 1 ? ", ..." : ""),
                     10);
  }
  if (rest > 0) {
    page += fmt::format("{:>6} x  for {} other reasons: --format json lists all\n", rest,
                        groups.size() - kShownReasons);
  }
  return page;
}

std::string best(const SweepResult& s) {
  const CandidateResult& c = s.candidates[s.ranking.front()];
  std::string text = layout_text(c.candidate);
  const std::string settings = settings_text(c.candidate);
  if (!settings.empty()) text += ", " + settings;
  if (c.result.pricing.known) {
    text += fmt::format(": {} USD per million output tokens, {} USD/month for {} GPUs",
                        output_price(c.result), usd_text(c.result.bill.usd_per_month),
                        c.result.facts.gpus);
  } else {
    text += fmt::format(": {} output tokens/s on {} GPUs, cost not known",
                        number_text(c.result.run.summary.output_tokens_per_s), c.result.facts.gpus);
  }
  if (!c.meets_slo) text += "; no candidate meets the SLO, this is the best of those that miss it";
  std::string page = "\n" + labelled("best", text);
  for (const std::string& note : s.notes) page += labelled("note", note);
  return page;
}

}  // namespace

std::string sweep_table(const SweepResult& sweep) {
  std::string page = head(sweep);
  if (sweep.feasible()) {
    page += ranking(sweep) + front(sweep);
  } else {
    page += "\nNothing is feasible.\n";
  }
  page += refusals(sweep);
  if (sweep.feasible()) page += best(sweep);
  return page;
}

}  // namespace moesim::report
