// A placement on one page: beside what engines start with, on planned and later routing.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "report/number_text.h"
#include "report/place_report.h"
#include "report/text_layout.h"

namespace moesim::report {
namespace {

using scenario::PlacementTask;
using sweep::JudgedPlacement;
using sweep::WorkloadScore;

constexpr std::size_t kLabel = 14;
constexpr std::size_t kColumn = 10;

std::string heading(const PlacementTask& task) {
  const placement::PlacementShape& shape = task.problem.shape;
  const auto& domains = shape.domain_of_rank;
  const std::int64_t nodes = 1 + *std::max_element(domains.begin(), domains.end());
  return fmt::format(
      "{}: {} MoE layers, top-{} of {} experts on {} GPUs ({} nodes), {} slots a layer ({} a GPU, "
      "{} redundant)\n",
      task.name, shape.moe_layers, task.problem.routing.top_k, shape.experts, shape.ranks, nodes,
      shape.slots(), shape.slots_per_rank, shape.slots() - shape.experts);
}

void add_row(std::string& page, const std::vector<std::string>& cells) {
  std::string line = left(cells.front(), kLabel);
  for (std::size_t i = 1; i < cells.size(); ++i) line += right(cells[i], kColumn);
  while (!line.empty() && line.back() == ' ') line.pop_back();
  page += line + "\n";
}

std::vector<std::string> figures(const JudgedPlacement& judged,
                                 const std::vector<WorkloadScore>& scores) {
  const WorkloadScore s = sweep::mean_score(scores);
  std::vector<std::string> cells = {judged.strategy, number_text(s.score.balance_mean, 4),
                                    number_text(s.score.balance_worst, 4)};
  if (s.score.tokens) {
    const placement::TokenScore& t = *s.score.tokens;
    for (const double x : {t.copies(), t.copies_random, t.copies_locality, t.batch_random,
                           t.batch_locality, t.batch_optimal}) {
      cells.push_back(number_text(x, 4));
    }
  } else {
    cells.insert(cells.end(), 6, "-");
  }
  return cells;
}

void add_block(std::string& page, const char* title, const sweep::PlacementStudy& study,
               std::vector<WorkloadScore> JudgedPlacement::*scores) {
  if ((study.result.*scores).empty()) return;
  page += fmt::format("\n{}\n", title);
  add_row(page, {"strategy", "max/mean", "worst", "copies", "random", "locality", "batch",
                 "locality", "optimal"});
  for (const JudgedPlacement& other : study.beside) {
    add_row(page, figures(other, other.*scores));
  }
  add_row(page, figures(study.result, study.result.*scores));
  const WorkloadScore mean = sweep::mean_score(study.result.*scores);
  page += labelled("",
                   fmt::format("max/mean cannot be below {}{}", number_text(mean.balance_bound, 4),
                               mean.copies_bound ? fmt::format(", copies not below {}",
                                                               number_text(*mean.copies_bound, 3))
                                                 : std::string()),
                   0);
  if ((study.result.*scores).size() > 1) {
    for (const WorkloadScore& s : study.result.*scores) {
      std::vector<std::string> cells = figures(study.result, {s});
      cells.front() = s.workload;
      add_row(page, cells);
    }
  }
}

void add_times(std::string& page, const sweep::PlacementStudy& study) {
  if (!study.result.planned.front().times) return;
  page += "\nTime of the MoE layers of one iteration, ms\n";
  add_row(page, {"strategy", "total", "dispatch", "slowest", "mean", "combine"});
  const auto row = [&](const JudgedPlacement& judged) {
    const serving::LayerTimes t =
        *sweep::mean_score(judged.later.empty() ? judged.planned : judged.later).times;
    std::vector<std::string> cells = {judged.strategy};
    for (const Seconds s : {t.total(), t.dispatch, t.slowest, t.mean, t.combine}) {
      cells.push_back(number_text(1e3 * (s / kSecond), 4));
    }
    add_row(page, cells);
  };
  for (const JudgedPlacement& other : study.beside) row(other);
  row(study.result);
  if (study.result.planned.front().per_pick) {
    page +=
        "This batch travels by low-latency kernels, which send a copy per pick: fewer copies per "
        "node save\nnothing here. Iterations that hold prompts: prefill: true.\n";
  }
}

void add_moves(std::string& page, const PlacementTask& task, const sweep::PlacementStudy& study) {
  const placement::PlacementShape& shape = task.problem.shape;
  if (study.slot_bytes) {
    const double redundant =
        *study.slot_bytes *
        static_cast<double>((shape.slots() - shape.experts) * shape.moe_layers) /
        static_cast<double>(shape.ranks);
    page += fmt::format("\nA slot holds {}; redundant slots take {} of each GPU.\n",
                        gb_text(*study.slot_bytes * kByte), gb_text(redundant * kByte));
  }
  if (!study.result.before) return;
  const auto moved =
      std::accumulate(study.result.moved.begin(), study.result.moved.end(), std::int64_t{0});
  const std::int64_t slots = shape.slots() * shape.moe_layers;
  page += fmt::format("\n{} of {} slots move ({})", count_text(moved), count_text(slots),
                      percent_text(static_cast<double>(moved) / static_cast<double>(slots)));
  if (study.migration) page += fmt::format(", {}", gb_text(study.migration->bytes.total));
  if (study.transfer_rounds > 0) {
    page += fmt::format(", {} rounds of one slot a GPU", count_text(study.transfer_rounds));
  }
  if (study.migration) {
    page += fmt::format(", {} s on the fabric", number_text(study.migration->time / kSecond, 3));
  }
  page += ".\n";
}

}  // namespace

std::string place_table(const PlacementTask& task, const sweep::PlacementStudy& study) {
  std::string page = heading(task);
  if (!task.description.empty()) page += labelled("", task.description, 0);
  add_block(page, "Routing planned for", study, &JudgedPlacement::planned);
  add_block(page, "Routing that came later", study, &JudgedPlacement::later);
  page +=
      "\nmax/mean: load of the fullest GPU, mean over layers and worst layer. copies: remote nodes "
      "a\ntoken is sent to, mean of random and locality-first choice of replicas. batch: max/mean "
      "when all\ntokens are one batch.\n";
  add_times(page, study);
  add_moves(page, task, study);
  if (!task.given) {
    page += fmt::format("\n{} took {} s of CPU.\n", study.result.strategy,
                        number_text(study.result.seconds, 3));
  }
  for (const std::string& note : task.notes) page += labelled("note", note);
  return page;
}

}  // namespace moesim::report
