#include "report/go_no_go_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "place_result.pb.h"
#include "report/message_json.h"
#include "report/number_text.h"
#include "report/place_score.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

using scenario::PlacementTask;
using sweep::GoNoGo;
using sweep::PlacementOption;

std::string cells(const std::vector<std::string>& texts) {
  std::string line = left(texts.front(), 22);
  for (std::size_t i = 1; i < texts.size(); ++i) line += right(texts[i], 11);
  while (!line.empty() && line.back() == ' ') line.pop_back();
  return line + "\n";
}

std::string known(bool there, double value, int digits = 4) {
  return there ? number_text(value, digits) : std::string("-");
}

std::string option_row(const PlacementOption& option) {
  const std::string name = fmt::format("{} + {}", option.strategy, option.redundant);
  if (option.judged.planned.empty()) return labelled(name, option.why_not, 22);
  const sweep::WorkloadScore s =
      sweep::mean_score(option.judged.later.empty() ? option.judged.planned : option.judged.later);
  const bool times = s.times.has_value();
  std::string row = cells(
      {name, number_text(s.score.balance_mean, 4),
       known(s.score.tokens.has_value(), s.score.tokens ? s.score.tokens->copies() : 0.0),
       known(times, times ? 1e3 * (s.times->total() / kSecond) : 0.0),
       option.kv_tokens ? count_text(*option.kv_tokens) : "-",
       known(option.output_tokens_per_s.has_value(), option.output_tokens_per_s.value_or(0.0), 5),
       known(option.tpot_ms.has_value(), option.tpot_ms.value_or(0.0)),
       option.usd_per_million_output_tokens ? usd_text(*option.usd_per_million_output_tokens)
                                            : "-"});
  if (!option.why_not.empty()) row += labelled("", option.why_not, 22);
  return row;
}

std::string persistence_text(const GoNoGo& g) {
  if (!g.persistence) {
    return "No recorded later routing was given: whether the imbalance persists is not known.\n";
  }
  const sweep::Persistence& p = *g.persistence;
  return labelled(
      "",
      fmt::format("Loads planned for and later ones: correlation {}, {} of the tokens would "
                  "choose other experts. On the later loads the best plan has max/mean {}, one "
                  "made for them (eplb_global) {}, contiguous {}.",
                  number_text(p.correlation, 3), percent_text(p.total_variation),
                  number_text(p.planned_on_later, 4), number_text(p.fresh_on_later, 4),
                  number_text(p.contiguous_on_later, 4)),
      0);
}

std::string moves_text(const GoNoGo& g) {
  const bool priced = std::any_of(g.front.begin(), g.front.end(),
                                  [](const auto& point) { return point.migration.has_value(); });
  std::string text = "slots moved     max/mean   worst layer";
  text += priced ? "          sent     seconds\n" : "\n";
  for (const auto& [balance, migration] : g.front) {
    text += right(percent_text(balance.moved_share), 11) +
            right(number_text(balance.balance_mean, 4), 13) +
            right(number_text(balance.balance_worst, 4), 14);
    if (migration) {
      text += right(gb_text(migration->bytes.total), 14) +
              right(number_text(migration->time / kSecond, 3), 12);
    }
    text += "\n";
  }
  if (priced)
    text += "sent: weights of the moved slots; all at once on a fabric without other traffic.\n";
  return text;
}

}  // namespace

std::string go_no_go_page(const PlacementTask& task, const GoNoGo& g) {
  std::string page = fmt::format("{}: is a placement of its own worth it?\n\n", task.name);
  page += labelled("", g.recommendation, 0);
  page += "\nDoes the imbalance persist?\n" + persistence_text(g);
  page += "\nWhat rearranging and redundant slots buy (judged on the later routing, if given)\n";
  page += cells({"strategy + redundant", "max/mean", "copies", "MoE ms", "KV tokens", "tokens/s",
                 "TPOT ms", "$/M out"});
  for (const PlacementOption& option : g.options) page += option_row(option);
  page +=
      "MoE ms: all MoE layers of one iteration. KV tokens: cache of one attention rank. tokens/s, "
      "TPOT,\n$/M: a run of the scenario under that placement, serving the same routing.\n";
  page += "\nWhat following the later loads from the best plan takes\n" + moves_text(g);
  for (const std::string& note : task.notes) page += labelled("note", note);
  return page;
}

std::string go_no_go_json(const PlacementTask& task, const GoNoGo& g) {
  proto::GoNoGo out;
  out.set_name(task.name);
  out.set_go(g.go);
  out.set_recommendation(g.recommendation);
  out.set_measure(g.measure);
  out.set_gain(rounded(g.gain));
  out.set_best(static_cast<double>(g.best));
  for (const PlacementOption& option : g.options) {
    proto::GoNoGoOption& o = *out.add_options();
    o.set_strategy(option.strategy);
    o.set_redundant_experts(static_cast<double>(option.redundant));
    o.set_why_not(option.why_not);
    if (option.judged.planned.empty()) continue;
    write_score(option.judged, sweep::mean_score(option.judged.planned), *o.mutable_train());
    if (!option.judged.later.empty()) {
      write_score(option.judged, sweep::mean_score(option.judged.later), *o.mutable_eval());
    }
    if (option.kv_tokens) o.set_kv_tokens_per_rank(static_cast<double>(*option.kv_tokens));
    if (option.output_tokens_per_s) o.set_output_tokens_per_s(rounded(*option.output_tokens_per_s));
    if (option.tpot_ms) o.set_tpot_ms(rounded(*option.tpot_ms));
    if (option.usd_per_million_output_tokens) {
      o.set_usd_per_million_output_tokens(rounded(*option.usd_per_million_output_tokens));
    }
  }
  if (g.persistence) {
    proto::GoNoGoPersistence& p = *out.mutable_persistence();
    p.set_correlation(rounded(g.persistence->correlation));
    p.set_total_variation(rounded(g.persistence->total_variation));
    p.set_balance_of_plan(rounded(g.persistence->planned_on_later));
    p.set_balance_of_fresh_plan(rounded(g.persistence->fresh_on_later));
    p.set_balance_of_contiguous(rounded(g.persistence->contiguous_on_later));
  }
  for (const auto& [balance, migration] : g.front) {
    proto::MovesPoint& point = *out.add_moves();
    write_moves(balance, point);
    if (!migration) continue;
    point.set_bytes_moved(migration->bytes.total.base());
    point.set_migration_s(rounded(migration->time / kSecond));
  }
  return message_json(out);
}

}  // namespace moesim::report
