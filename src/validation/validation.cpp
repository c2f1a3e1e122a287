#include "validation/validation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <utility>

#include "validation/kernel_rows.h"
#include "validation/relative_rows.h"
#include "validation/row_metric.h"
#include "validation/row_runs.h"

namespace moesim::validation {
namespace {

using scenario::PublishedRow;

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// Rows, what each asks, and the runs that answer.
class Scorer {
 public:
  Scorer(const scenario::PublishedRows& rows, const std::string& family,
         const catalog::Catalog& catalog)
      : rows_(rows), count_(rows.rows.size()), family_(family), catalog_(catalog) {
    // Runs that a ratio states but nobody published stand behind the rows.
    pairs_.resize(count_);
    for (std::size_t i = 0; i < count_; ++i) {
      if (!is_relative(rows_.rows[i])) continue;
      pairs_[i] = pair_of(rows_.rows[i], rows.rows);
      if (pairs_[i]) continue;
      if (auto sides = sides_of(rows_.rows[i])) {
        pairs_[i] = Pair{rows_.rows.size(), rows_.rows.size() + 1, false};
        rows_.rows.push_back(std::move(sides->above));
        rows_.rows.push_back(std::move(sides->below));
      }
    }
    question_of_.assign(rows_.rows.size(), kNone);
    reason_.resize(rows_.rows.size());
  }

  Validation score(int jobs, const sweep::CountProgress& progress) {
    for (std::size_t i = 0; i < count_; ++i) {
      if (wanted(rows_.rows[i])) prepare(i);
    }
    const Answers answers = ask(questions_, catalog_, jobs, progress);
    Validation validation;
    validation.runs = answers.runs;
    for (std::size_t i = 0; i < count_; ++i) {
      if (wanted(rows_.rows[i])) validation.rows.push_back(result(i, answers));
    }
    return validation;
  }

 private:
  [[nodiscard]] bool wanted(const PublishedRow& row) const {
    return family_.empty() || row.family() == family_;
  }

  void prepare(std::size_t i) {
    const PublishedRow& row = rows_.rows[i];
    if (!row.value || !(*row.value > 0)) {
      reason_[i] = "no measured value above 0";
    } else if (row.metric.find("simulated") != std::string::npos) {
      reason_[i] = "another simulator's prediction, not a measurement";
    } else if (is_relative(row)) {
      if (!pairs_[i]) {
        reason_[i] = "the two runs it compares are neither published nor stated by the row";
        return;
      }
      ask_for(pairs_[i]->above);
      ask_for(pairs_[i]->below);
    } else {
      ask_for(i);
    }
  }

  void ask_for(std::size_t i) {
    if (question_of_[i] != kNone || !reason_[i].empty()) return;
    const PublishedRow& row = rows_.rows[i];
    if (row.pd_mode == "kernel") {
      auto value = kernel_value(row, catalog_);
      if (auto* out = std::get_if<LeftOut>(&value)) reason_[i] = std::move(out->reason);
      if (const double* us = std::get_if<double>(&value)) priced_[i] = *us;
      return;
    }
    const auto metric = metric_of(row, rows_.rows);
    if (!metric) {
      reason_[i] =
          fmt::format("metric \"{}\" in \"{}\" is not one that a run has", row.metric, row.unit);
      return;
    }
    RowPlan plan = plan_row(row, rows_, catalog_);
    if (const auto* out = std::get_if<LeftOut>(&plan)) {
      reason_[i] = out->reason;
      return;
    }
    question_of_[i] = questions_.size();
    questions_.push_back({std::get<RowScenario>(std::move(plan)), *metric});
  }

  /// Prediction of an absolute row; fills the outcome if there is none.
  std::optional<double> predicted(std::size_t i, const Answers& answers, RowResult& out) const {
    if (const auto it = priced_.find(i); it != priced_.end()) return it->second;
    if (question_of_[i] == kNone) {
      out.reason = reason_[i];
      return std::nullopt;
    }
    const Answer& answer = answers.answers[question_of_[i]];
    if (!answer.value) {
      out.outcome = Outcome::Refused;
      out.reason = answer.refusal;
    }
    return answer.value;
  }

  RowResult result(std::size_t i, const Answers& answers) const {
    RowResult out;
    out.row = rows_.rows[i];
    out.derived = out.row.note.find("[my inference") != std::string::npos;
    out.relative = is_relative(out.row);
    std::optional<double> value;
    if (!out.relative) {
      value = predicted(i, answers, out);
      if (question_of_[i] != kNone) {
        const std::size_t question = question_of_[i];
        out.assumed = questions_[question].plan.assumed;
        out.situation = answers.answers[question].situation;
        out.figure = figure_of(questions_[question].metric);
      }
    } else if (pairs_[i]) {
      const Pair& pair = *pairs_[i];
      const auto above = predicted(pair.above, answers, out);
      const auto below = above ? predicted(pair.below, answers, out) : std::nullopt;
      if (above && below && *below > 0) {
        value = *above / *below;
        if (pair.per_gpu) {
          *value *=
              rows_.rows[pair.below].gpus.value_or(1) / rows_.rows[pair.above].gpus.value_or(1);
        }
      } else {
        const std::size_t lacking = above ? pair.below : pair.above;
        out.reason = fmt::format("{}: {}", rows_.rows[lacking].id, out.reason);
      }
    } else {
      out.reason = reason_[i];
    }
    if (value && std::isfinite(*value)) {
      out.outcome = Outcome::Scored;
      out.predicted = *value;
    }
    return out;
  }

  scenario::PublishedRows rows_;
  std::size_t count_;  ///< Of them published.
  const std::string& family_;
  const catalog::Catalog& catalog_;
  std::vector<Question> questions_;
  std::vector<std::size_t> question_of_;
  std::vector<std::string> reason_;
  std::map<std::size_t, double> priced_;  ///< Kernels: no run.
  std::vector<std::optional<Pair>> pairs_;
};

FamilySummary summary(const std::string& family, const std::vector<const RowResult*>& rows) {
  FamilySummary s;
  s.family = family;
  std::vector<double> measured;
  std::vector<double> predicted;
  for (const RowResult* r : rows) {
    if (r->outcome == Outcome::Refused) ++s.refused;
    if (r->outcome == Outcome::LeftOut) ++s.left_out;
    if (r->outcome != Outcome::Scored) continue;
    if (r->relative) {
      constexpr double kFifth = 0.2;
      ++s.relative;
      if ((r->predicted > 1.0) == (*r->row.value > 1.0)) ++s.same_sign;
      if (std::abs(r->error()) <= kFifth) ++s.within_fifth;
    } else if (!r->derived) {
      measured.push_back(*r->row.value);
      predicted.push_back(r->predicted);
    }
  }
  s.error = error_figures(measured, predicted);
  s.kendall = kendall_tau(measured, predicted);
  return s;
}

/// Families in the order in which they first stand.
void summarize(Validation& v) {
  std::vector<std::string> families;
  std::vector<const RowResult*> all;
  for (const RowResult& r : v.rows) {
    all.push_back(&r);
    const std::string family = r.row.family();
    if (std::find(families.begin(), families.end(), family) == families.end()) {
      families.push_back(family);
    }
  }
  for (const std::string& family : families) {
    std::vector<const RowResult*> own;
    for (const RowResult* r : all) {
      if (r->row.family() == family) own.push_back(r);
    }
    v.families.push_back(summary(family, own));
    std::vector<std::string> metrics;
    for (const RowResult* r : own) {
      const bool counts = r->outcome == Outcome::Scored && !r->relative && !r->derived;
      if (counts && std::find(metrics.begin(), metrics.end(), r->row.metric) == metrics.end()) {
        metrics.push_back(r->row.metric);
      }
    }
    if (metrics.size() < 2) continue;
    for (const std::string& metric : metrics) {
      std::vector<const RowResult*> part;
      for (const RowResult* r : own) {
        if (r->outcome == Outcome::Scored && !r->relative && r->row.metric == metric)
          part.push_back(r);
      }
      v.families.push_back(summary(family, part));
      v.families.back().metric = metric;
    }
  }
  v.all = summary("all", all);
  const auto place = [&](const RowResult& r) {
    return std::find(families.begin(), families.end(), r.row.family()) - families.begin();
  };
  std::stable_sort(v.rows.begin(), v.rows.end(), [&](const RowResult& a, const RowResult& b) {
    if (place(a) != place(b)) return place(a) < place(b);
    const auto rank = [](const RowResult& r) {
      return r.outcome == Outcome::Refused ? 0 : (r.outcome == Outcome::Scored ? 1 : 2);
    };
    if (rank(a) != rank(b)) return rank(a) < rank(b);
    return a.outcome == Outcome::Scored && std::abs(a.error()) > std::abs(b.error());
  });
}

}  // namespace

std::vector<catalog::ScoredFigure> scored_figures(const Validation& validation) {
  std::vector<catalog::ScoredFigure> scored;
  for (const RowResult& r : validation.rows) {
    if (r.outcome != Outcome::Scored || r.relative || r.derived || !r.figure) continue;
    if (!(r.predicted > 0)) continue;
    scored.push_back({.row = r.row.id,
                      .figure = *r.figure,
                      .situation = r.situation,
                      .ratio = *r.row.value / r.predicted});
  }
  std::sort(scored.begin(), scored.end(),
            [](const auto& a, const auto& b) { return a.row < b.row; });
  return scored;
}

Validation validate_rows(const scenario::PublishedRows& rows, const std::string& family,
                         const catalog::Catalog& catalog, int jobs,
                         const sweep::CountProgress& progress) {
  Validation validation = Scorer(rows, family, catalog).score(jobs, progress);
  validation.notes = rows.notes;
  summarize(validation);
  return validation;
}

}  // namespace moesim::validation
