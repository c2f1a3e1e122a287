// What is wrong with a workload model, field by field.
#include <fmt/format.h>

#include <cmath>
#include <utility>

#include "core/text.h"
#include "workload/model.h"
#include "workload/row_parser.h"

namespace moesim::workload {
namespace {

/// The tables are rounded: probabilities are accepted if they sum to 1 within this.
constexpr double kSumTolerance = 1e-3;

class Checker {
 public:
  void bad(std::string field, std::string message, std::string hint = {}) {
    found_.push_back({.file = "",
                      .line = 0,
                      .column = 0,
                      .field = std::move(field),
                      .message = std::move(message),
                      .hint = std::move(hint)});
  }

  /// Finite and within (low, high] or [low, high].
  void range(const std::string& field, double value, double low, double high, bool open) {
    const bool above = open ? value > low : value >= low;
    if (std::isfinite(value) && above && value <= high) return;
    bad(field, fmt::format("must be {} {} and at most {}, got {}", open ? "above" : "at least",
                           format_number(low), format_number(high), format_number(value)));
  }

  void probabilities(const std::string& field, const std::vector<double>& values) {
    double sum = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      range(fmt::format("{}[{}]", field, i), values[i], 0.0, 1.0, false);
      sum += values[i];
    }
    if (std::abs(sum - 1.0) > kSumTolerance) {
      bad(field, "must sum to 1, got " + format_number(sum));
    }
  }

  void length(const std::string& field, const LengthLaw& law) {
    std::visit([&](const auto& one) { length_law(field, one); }, law);
  }

  void arrivals(const ArrivalProcess& process) {
    std::visit([&](const auto& one) { arrival_process(one); }, process);
  }

  std::vector<Diagnostic> take() { return std::move(found_); }

 private:
  static constexpr double kMaxLength = static_cast<double>(kMaxTokens);

  void length_law(const std::string& field, const FixedLength& law) {
    range(field + ".fixed_tokens", law.tokens, 1.0, kMaxLength, false);
  }
  void length_law(const std::string& field, const UniformLength& law) {
    range(field + ".uniform.min_tokens", law.min, 1.0, kMaxLength, false);
    range(field + ".uniform.max_tokens", law.max, law.min, kMaxLength, false);
  }
  void length_law(const std::string& field, const LognormalLength& law) {
    range(field + ".lognormal.median_tokens", law.median, 0.0, kMaxLength, true);
    range(field + ".lognormal.sigma", law.sigma, 0.0, 10.0, false);
    range(field + ".lognormal.min_tokens", law.min, 1.0, kMaxLength, false);
    range(field + ".lognormal.max_tokens", law.max, law.min, kMaxLength, false);
  }
  void length_law(const std::string& field, const GridLength& law) {
    if (law.levels.empty() || law.levels.size() != law.tokens.size()) {
      bad(field + ".quantiles", fmt::format("needs as many tokens as levels and at least one, got "
                                            "{} levels and {} tokens",
                                            law.levels.size(), law.tokens.size()));
      return;
    }
    for (std::size_t i = 0; i < law.levels.size(); ++i) {
      range(fmt::format("{}.quantiles.level[{}]", field, i), law.levels[i], 0.0, 1.0, false);
      range(fmt::format("{}.quantiles.tokens[{}]", field, i), law.tokens[i], 0.0, kMaxLength,
            false);
      if (i > 0 && !(law.levels[i] > law.levels[i - 1])) {
        bad(fmt::format("{}.quantiles.level[{}]", field, i), "levels must ascend");
      }
      if (i > 0 && !(law.tokens[i] >= law.tokens[i - 1])) {
        bad(fmt::format("{}.quantiles.tokens[{}]", field, i), "tokens must not descend");
      }
    }
  }

  void arrival_process(const Poisson& /*law*/) {}
  void arrival_process(const GammaRenewal& law) {
    range("arrivals.gamma.shape", law.shape, 1e-3, 1e6, false);
  }
  void arrival_process(const ClosedLoop& law) {
    range("arrivals.closed_loop.concurrency", static_cast<double>(law.concurrency), 1.0, 1e6,
          false);
  }
  void arrival_process(const Mmpp& chain) {
    const std::size_t states = chain.rates.size();
    range("arrivals.mmpp.bin", chain.bin.base(), 1e-3, 1e7, false);
    if (states == 0 || chain.transition.size() != states || chain.stationary.size() != states) {
      bad("arrivals.mmpp.state",
          "needs at least one state, each with a rate, a stationary "
          "probability and transitions");
      return;
    }
    double mean = 0.0;
    for (std::size_t i = 0; i < states; ++i) {
      const std::string field = fmt::format("arrivals.mmpp.state[{}]", i);
      range(field + ".rate_per_s", chain.rates[i].base(), 0.0, 1e9, false);
      mean += chain.rates[i].base() * chain.stationary[i];
      if (chain.transition[i].size() != states) {
        bad(field + ".transition", fmt::format("needs {} probabilities, one per state, got {}",
                                               states, chain.transition[i].size()));
      } else {
        probabilities(field + ".transition", chain.transition[i]);
      }
    }
    probabilities("arrivals.mmpp.stationary", chain.stationary);
    if (!(mean > 0.0)) bad("arrivals.mmpp.state", "all states have rate 0");
  }
  void arrival_process(const ClientPool& pool) {
    range("arrivals.clients.window_s", pool.window.base(), 1e-3, 1e7, false);
    double sum = 0.0;
    for (const Client& client : pool.clients) {
      for (const ClientWindow& window : client.windows) sum += window.rate.base();
    }
    if (!(sum > 0.0) || pool.windows_per_period < 1) {
      bad("arrivals.clients.file", "the table of clients has no traffic or was not read");
    }
  }

  std::vector<Diagnostic> found_;
};

void check_curve(Checker& checker, const RateCurve& curve) {
  checker.range("rate_curve.step", curve.step.base(), 1e-3, 1e9, false);
  double sum = 0.0;
  for (std::size_t i = 0; i < curve.multiplier.size(); ++i) {
    checker.range(fmt::format("rate_curve.multiplier[{}]", i), curve.multiplier[i], 0.0, 1e6,
                  false);
    sum += curve.multiplier[i];
  }
  if (!(sum > 0.0)) checker.bad("rate_curve.multiplier", "needs at least one value above 0");
}

void check_length_present(Checker& checker, const WorkloadModel& model, const char* field,
                          const std::optional<LengthLaw>& law) {
  if (law) {
    checker.length(field, *law);
  } else {
    checker.bad(
        field,
        model.name.empty()
            ? fmt::format("no {} lengths given", field)
            : fmt::format("workload {} has no {} lengths: none were published", model.name, field),
        "give input and output lengths in the scenario");
  }
}

}  // namespace

std::vector<Diagnostic> check_model(const WorkloadModel& model) {
  Checker checker;
  checker.arrivals(model.arrivals);
  if (model.default_rate) {
    checker.range("default_rate", model.default_rate->base(), 0.0, 1e9, true);
  }
  const bool shaped = model.curve || model.modulation;
  if (shaped && std::holds_alternative<ClosedLoop>(model.arrivals)) {
    checker.bad("rate_curve", "a closed loop has no rate to shape",
                "leave out rate_curve and rate_modulation");
  }
  if (shaped && std::holds_alternative<ClientPool>(model.arrivals)) {
    checker.bad("rate_curve", "the windows of the clients already shape the rate",
                "leave out rate_curve and rate_modulation");
  }
  if (model.curve) check_curve(checker, *model.curve);
  if (model.modulation) {
    checker.range("rate_modulation.step", model.modulation->step.base(), 1e-3, 1e9, false);
    checker.range("rate_modulation.cv", model.modulation->cv, 0.0, 100.0, false);
  }
  check_length_present(checker, model, "input", model.input);
  check_length_present(checker, model, "output", model.output);
  if (model.rank_correlation) {
    checker.range("rank_correlation", *model.rank_correlation, -1.0, 1.0, false);
  }
  return checker.take();
}

std::vector<std::string> model_notes(const WorkloadModel& model) {
  std::vector<std::string> notes = model.notes;
  if (model.prefix) {
    std::string note = "prefix reuse not applied: every prompt counts as new";
    if (model.prefix->reuse_fraction) {
      note += fmt::format(" (published share of input tokens seen before: {})",
                          format_number(*model.prefix->reuse_fraction));
    }
    notes.push_back(std::move(note));
  }
  return notes;
}

}  // namespace moesim::workload
