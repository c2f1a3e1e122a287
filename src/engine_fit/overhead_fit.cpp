#include "engine_fit/overhead_fit.h"

#include <tbb/parallel_for.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "calibration/robust_fit.h"
#include "calibration/score.h"
#include "calibration/study.h"
#include "core/diagnostics.h"
#include "core/random.h"
#include "plan/memory.h"
#include "scenario/scenario_reader.h"

namespace moesim::engine_fit {
namespace {

constexpr double kFirstRush = 0.1;  ///< Share of a benchmark's requests: ten for each user.
constexpr double kTtftWeight = 0.4;
constexpr std::size_t kConstants = 5;
using Constants = std::array<double, kConstants>;

constexpr std::array<operators::CoefficientSpec, kConstants> kSpecs = {{
    {"stretch", 1.0, 0.5, 2.0},
    {"per_layer_us", 10.0, 0.0, 200.0},
    {"per_sequence_us", 0.0, 0.0, 200.0},
    {"prompt_layer_us", 100.0, 0.0, 5000.0},
    {"per_request_ms", 20.0, 0.0, 2000.0},
}};
/// What is expected of an engine before any run is seen is where kSpecs start: kernels as measured,
/// a launch gap of 10 us a layer, nothing a sequence, some twenty launches a layer outside graphs,
/// 20 ms of HTTP and tokenising. A constant that differs by this much counts like a run predicted
/// 10 % off.
constexpr Constants kExpectedSpread = {0.1, 10.0, 2.0, 100.0, 50.0};
/// Runs that the expectation of each constant counts for, over those of a model.
constexpr double kExpectationWeight = 1.0;

double at(const WorkSum& work, Work part) { return work[static_cast<std::size_t>(part)]; }

double time_of(const WorkSum& work, double layers, std::span<const double> c) {
  constexpr double kMicro = 1e-6;
  return c[0] * at(work, Work::Kernels) + kMicro * c[1] * layers * at(work, Work::Iterations) +
         kMicro * c[2] * at(work, Work::Sequences) +
         kMicro * c[3] * layers * at(work, Work::Prompts);
}

double tpot_of(const FitRow& row, std::span<const double> c) {
  return time_of(row.tpot, row.layers, c);
}
double ttft_of(const FitRow& row, std::span<const double> c) {
  constexpr double kMilli = 1e-3;
  return time_of(row.ttft, row.layers, c) + kMilli * c[4];
}

/// Models whose benchmarks come with and without drafting.
bool may_draft(const std::string& model) {
  return model.find("DeepSeek") != std::string::npos || model.find("GLM") != std::string::npos ||
         model.find("Qwen3.5") != std::string::npos;
}

/// Times with which the loops run: of an engine of middling overhead.
LoopConstants loop_constants() {
  LoopConstants c;
  c.weights[static_cast<std::size_t>(Work::Kernels)] = 1.0;
  c.weights[static_cast<std::size_t>(Work::Iterations)] = 2e-3;
  c.weights[static_cast<std::size_t>(Work::Prompts)] = 10e-3;
  c.client_delay = 25e-3;
  return c;
}

FitRow replay(const BenchmarkRun& run, const scenario::Scenario& s, std::int64_t kv_blocks,
              IterationPrices& prices) {
  const std::int64_t users = run.concurrency;
  LoopSettings loop{.concurrency = users,
                    .scheduler = s.deployment.scheduler,
                    .kv_blocks = kv_blocks,
                    .lengths = *s.workload.model,
                    .skip = 2 * users,
                    .wanted = std::max<std::int64_t>(16, 2 * users)};
  const LoopResult steady = run_closed_loop(prices, loop, loop_constants());
  loop.skip = 0;
  loop.wanted = users;
  const LoopResult rush = run_closed_loop(prices, loop, loop_constants());
  FitRow row{.run = &run,
             .architecture = s.deployment.cluster.gpu.architecture,
             .tpot = steady.tpot,
             .layers = static_cast<double>(s.deployment.model.layers())};
  for (std::size_t i = 0; i < kWorks; ++i) {
    row.ttft[i] = (1.0 - kFirstRush) * steady.ttft[i] + kFirstRush * rush.ttft[i];
  }
  return row;
}

/// First word: Blackwell Ultra is Blackwell.
std::string family_of(const std::string& architecture) {
  return architecture.substr(0, architecture.find(' '));
}

/// Those whose parallelism is known, if they suffice.
std::vector<const FitRow*> trusted(const std::vector<const FitRow*>& rows) {
  std::vector<const FitRow*> known;
  std::copy_if(rows.begin(), rows.end(), std::back_inserter(known),
               [](const FitRow* row) { return !row->run->repaired; });
  return known.size() >= 2 * kConstants ? known : rows;
}

Constants fit(const std::vector<const FitRow*>& all) {
  const std::vector<const FitRow*> rows = trusted(all);
  std::vector<double> measured;
  std::set<std::string> models;
  for (const FitRow* row : rows) models.insert(row->run->model);
  const auto expected =
      kConstants *
      static_cast<std::size_t>(std::lround(kExpectationWeight * static_cast<double>(rows.size()) /
                                           static_cast<double>(models.size())));
  for (const FitRow* row : rows) {
    measured.push_back(row->run->tpot);
    measured.push_back(std::pow(row->run->ttft, kTtftWeight));
  }
  measured.resize(measured.size() + expected, 1.0);
  const auto predict = [&](std::span<const double> c, std::span<double> predicted) {
    constexpr double kCounted = 0.1;
    for (std::size_t i = 0; i < expected; ++i) {
      const std::size_t k = i % kConstants;
      predicted[2 * rows.size() + i] =
          std::exp(kCounted * (c[k] - kSpecs[k].start) / kExpectedSpread[k]);
    }
    for (std::size_t i = 0; i < rows.size(); ++i) {
      predicted[2 * i] = tpot_of(*rows[i], c);
      predicted[2 * i + 1] = std::pow(ttft_of(*rows[i], c), kTtftWeight);
    }
  };
  const calibration::FitResult result =
      calibration::robust_fit(kSpecs, measured, predict, {.loss_scale = 0.1});
  Constants constants{};
  std::copy(result.coefficients.begin(), result.coefficients.end(), constants.begin());
  return constants;
}

catalog::ErrorBand band(std::span<const Prediction> predictions,
                        double (*predicted)(const Prediction&),
                        double (*measured)(const Prediction&)) {
  std::vector<double> p;
  std::vector<double> m;
  for (const Prediction& each : predictions) {
    p.push_back(predicted(each));
    m.push_back(measured(each));
  }
  return calibration::error_band(calibration::summarize(m, p));
}

/// Deployments in order of their hashes, dealt to the folds in turn.
std::map<std::string, std::size_t> folds_of(const std::vector<const FitRow*>& rows) {
  std::map<std::string, std::size_t> fold;
  for (const FitRow* row : rows) fold[row->run->deployment()] = 0;
  std::vector<std::pair<std::uint64_t, std::string>> order;
  for (const auto& [name, unused] : fold) {
    std::uint64_t hash = 0;
    for (const char c : name) hash = mix64(hash ^ static_cast<unsigned char>(c));
    order.emplace_back(hash, name);
  }
  std::sort(order.begin(), order.end());
  constexpr std::size_t kFolds = 5;
  for (std::size_t i = 0; i < order.size(); ++i) fold[order[i].second] = i % kFolds;
  return fold;
}

catalog::EngineOverhead fit_group(const std::string& engine, const std::string& family,
                                  const std::vector<const FitRow*>& rows, const std::string& source,
                                  std::vector<Prediction>& left_out) {
  const auto fold = folds_of(rows);
  std::vector<Prediction> predictions;
  for (std::size_t f = 0; f < 5; ++f) {
    std::vector<const FitRow*> seen;
    std::vector<const FitRow*> unseen;
    for (const FitRow* row : rows) {
      (fold.at(row->run->deployment()) == f ? unseen : seen).push_back(row);
    }
    if (unseen.empty() || seen.size() < kConstants) continue;
    const Constants c = fit(seen);
    for (const FitRow* row : unseen) {
      predictions.push_back({.row = row, .ttft = ttft_of(*row, c), .tpot = tpot_of(*row, c)});
    }
  }
  const Constants c = fit(rows);
  const std::vector<const FitRow*> fitted = trusted(rows);
  left_out.insert(left_out.end(), predictions.begin(), predictions.end());
  return {.engine = engine,
          .architecture = family,
          .stretch = c[0],
          .iteration = {},
          .per_layer = c[1] * 1.0_us,
          .per_sequence = c[2] * 1.0_us,
          .prompt_layer = c[3] * 1.0_us,
          .per_request = c[4] * 1.0_ms,
          .rows = static_cast<std::int64_t>(fitted.size()),
          .deployments = static_cast<std::int64_t>(folds_of(fitted).size()),
          .ttft = band(
              predictions, [](const Prediction& p) { return p.ttft; },
              [](const Prediction& p) { return p.row->run->ttft; }),
          .tpot = band(
              predictions, [](const Prediction& p) { return p.tpot; },
              [](const Prediction& p) { return p.row->run->tpot; }),
          .throughput = band(
              predictions, [](const Prediction& p) { return p.throughput(); },
              [](const Prediction& p) { return p.measured_throughput(); }),
          .source = source};
}

}  // namespace

double Prediction::throughput() const {
  const auto tokens = static_cast<double>(row->run->output_tokens);
  return static_cast<double>(row->run->concurrency) * tokens / (ttft + (tokens - 1.0) * tpot);
}

double Prediction::measured_throughput() const {
  return Prediction{.row = row, .ttft = row->run->ttft, .tpot = row->run->tpot}.throughput();
}

std::vector<FitRow> replay_runs(std::span<const BenchmarkRun> runs, const catalog::Catalog& catalog,
                                std::vector<LeftOut>& left_out) {
  std::map<std::string, std::vector<std::size_t>> by_deployment;
  for (std::size_t i = 0; i < runs.size(); ++i) by_deployment[runs[i].deployment()].push_back(i);
  std::vector<const std::vector<std::size_t>*> deployments;
  for (const auto& [name, members] : by_deployment) deployments.push_back(&members);
  std::vector<std::optional<FitRow>> rows(runs.size());
  std::vector<std::string> reasons(runs.size());
  tbb::parallel_for(std::size_t{0}, deployments.size(), [&](std::size_t d) {
    std::unique_ptr<IterationPrices> prices;
    for (const std::size_t i : *deployments[d]) {
      try {
        const auto s = scenario::read_scenario_text(scenario_text(runs[i]), {}, {}, catalog);
        const serving::Deployment& of = s.deployment;
        const plan::MemoryReport memory =
            plan::plan_memory(of.model, of.precision, of.cluster.gpu, of.layout, of.memory);
        const std::int64_t longest = runs[i].input_tokens + runs[i].output_tokens;
        if (memory.kv_blocks_per_rank * of.scheduler.block_size <= longest) {
          reasons[i] = "does not fit into the GPUs' memory";
          continue;
        }
        if (!prices) prices = std::make_unique<IterationPrices>(s);
        rows[i] = replay(runs[i], s, memory.kv_blocks_per_rank, *prices);
      } catch (const InputError& error) {
        reasons[i] = error.diagnostics().front().message;
      }
    }
  });
  std::vector<FitRow> result;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (rows[i] && may_draft(runs[i].model) && runs[i].tpot < at(rows[i]->tpot, Work::Kernels)) {
      reasons[i] = "faster than its kernels: tokens were drafted";
      rows[i].reset();
    }
    if (rows[i]) {
      result.push_back(*rows[i]);
    } else {
      left_out.push_back({runs[i].id, reasons[i]});
    }
  }
  return result;
}

OverheadFit fit_overheads(std::span<const FitRow> rows, const std::string& source) {
  std::map<std::pair<std::string, std::string>, std::vector<const FitRow*>> groups;
  std::map<std::string, std::vector<const FitRow*>> engines;
  for (const FitRow& row : rows) {
    groups[{row.run->engine, family_of(row.architecture)}].push_back(&row);
    engines[row.run->engine].push_back(&row);
  }
  OverheadFit result;
  for (const auto& [key, members] : groups) {
    if (members.size() < 2 * kConstants) continue;
    result.overheads.push_back(fit_group(key.first, key.second, members, source, result.left_out));
  }
  for (const auto& [engine, members] : engines) {
    if (members.size() < 2 * kConstants) continue;
    std::vector<Prediction> ignored;
    result.overheads.push_back(fit_group(engine, "", members, source, ignored));
  }
  return result;
}

}  // namespace moesim::engine_fit
