#include "report/place_front_report.h"

#include <fmt/format.h>

#include <vector>

#include "place_result.pb.h"
#include "report/message_json.h"
#include "report/number_text.h"
#include "report/place_score.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

std::string row(const std::vector<std::string>& cells) {
  std::string line;
  for (const std::string& cell : cells) line += right(cell, 14);
  return line + "\n";
}

std::string copies_of(const std::vector<sweep::WorkloadScore>& scores) {
  if (scores.empty()) return "-";
  const sweep::WorkloadScore mean = sweep::mean_score(scores);
  return mean.score.tokens ? number_text(mean.score.tokens->copies(), 4) : "-";
}

std::string balance_of(const std::vector<sweep::WorkloadScore>& scores) {
  return scores.empty() ? "-" : number_text(sweep::mean_score(scores).score.balance_mean, 4);
}

}  // namespace

std::string place_front_table(const scenario::PlacementTask& task,
                              const sweep::PlacementFronts& fronts) {
  std::string page;
  if (!fronts.slacks.empty()) {
    page +=
        fmt::format("{}: {} if a GPU may carry more than under eplb\n\n", task.name, task.strategy);
    page += row({"slack", "max/mean", "worst", "copies", "later", "copies later"});
    for (const sweep::SlackPoint& point : fronts.slacks) {
      const sweep::WorkloadScore train = sweep::mean_score(point.judged.planned);
      page += row({percent_text(point.slack), number_text(train.score.balance_mean, 4),
                   number_text(train.score.balance_worst, 4), copies_of(point.judged.planned),
                   balance_of(point.judged.later), copies_of(point.judged.later)});
    }
  }
  if (fronts.moves.empty()) {
    page += "\nGive --current to see what moved slots would buy.\n";
    return page;
  }
  if (!page.empty()) page += "\n";
  page += fmt::format(
      "{}: balance bought by moving slots of {}\n\n", task.name,
      task.follows_drift ? "eplb_global's plan, on the later routing" : "the current placement");
  page += row({"slots moved", "max/mean", "worst"});
  for (const strategies::FrontPoint& point : fronts.moves) {
    page += row({percent_text(point.moved_share), number_text(point.balance_mean, 4),
                 number_text(point.balance_worst, 4)});
  }
  return page;
}

std::string place_front_json(const scenario::PlacementTask& task,
                             const sweep::PlacementFronts& fronts) {
  proto::PlaceFront out;
  out.set_name(task.name);
  out.set_strategy(task.strategy);
  for (const sweep::SlackPoint& point : fronts.slacks) {
    proto::SlackPoint& p = *out.add_slacks();
    p.set_slack(point.slack);
    write_score(point.judged, sweep::mean_score(point.judged.planned), *p.mutable_train());
    if (!point.judged.later.empty()) {
      write_score(point.judged, sweep::mean_score(point.judged.later), *p.mutable_eval());
    }
  }
  for (const strategies::FrontPoint& point : fronts.moves) write_moves(point, *out.add_moves());
  return message_json(out);
}

}  // namespace moesim::report
