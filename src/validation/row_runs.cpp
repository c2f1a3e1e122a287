#include "validation/row_runs.h"

#include <algorithm>
#include <exception>

#include "core/diagnostics.h"
#include "scenario/scenario_reader.h"
#include "sweep/prediction_bands.h"
#include "sweep/run_scenario.h"

namespace moesim::validation {
namespace {

std::string first_mistake(const InputError& error) {
  const Diagnostic& d = error.diagnostics().front();
  return d.field.empty() ? d.message : d.field + ": " + d.message;
}

/// Runs one scenario and answers all its questions.
void answer(const std::vector<Question>& questions, const std::vector<std::size_t>& numbers,
            const catalog::Catalog& catalog, std::vector<Answer>& answers) {
  std::string refusal;
  try {
    scenario::TextOrigin origin;
    origin.file_name = "published run";
    const scenario::Scenario scenario =
        scenario::read_scenario_text(questions[numbers[0]].plan.text, origin, {}, catalog);
    const sweep::ScenarioResult result = sweep::run_scenario(scenario);
    if (!result.fits) {
      refusal = "does not fit: " + result.memory.reason;
    } else {
      for (const std::size_t i : numbers) {
        answers[i].situation = sweep::situation_of(scenario);
        answers[i].value = metric_value(questions[i].metric, result, questions[i].plan);
        if (!answers[i].value) answers[i].refusal = "the run has no such figure";
      }
    }
  } catch (const InputError& error) {
    refusal = first_mistake(error);
  } catch (const IoError& error) {
    refusal = error.what();
  }
  if (refusal.empty()) return;
  for (const std::size_t i : numbers) answers[i].refusal = refusal;
}

}  // namespace

Answers ask(const std::vector<Question>& questions, const catalog::Catalog& catalog, int jobs,
            const sweep::CountProgress& progress) {
  std::map<std::string, std::size_t> place;
  std::vector<std::vector<std::size_t>> runs;
  for (std::size_t i = 0; i < questions.size(); ++i) {
    const auto [it, fresh] = place.emplace(questions[i].plan.text, runs.size());
    if (fresh) runs.emplace_back();
    runs[it->second].push_back(i);
  }
  Answers all;
  all.answers.resize(questions.size());
  all.runs = static_cast<std::int64_t>(runs.size());
  sweep::run_parallel(
      all.runs, jobs,
      [&](std::int64_t number) {
        answer(questions, runs[static_cast<std::size_t>(number)], catalog, all.answers);
      },
      progress);
  return all;
}

}  // namespace moesim::validation
