// The workload of a scenario: a trace, a preset, or laws written out.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "core/text.h"
#include "scenario/catalog_reader.h"
#include "scenario/outline.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"
#include "scenario/workload_convert.h"
#include "workload/trace_reader.h"

namespace moesim::scenario {
namespace {

// Slower than one request in three hours, gaps could pass the end of the clock (106 days).
constexpr QuantityRange kRateRange{"0.0001 req/s", LowEnd::Included, "1e6 req/s"};
constexpr PerSecond kSlowest = PerSecond::from_base(1e-4);

workload::TraceFormat format_of(proto::TraceFile::Format format) {
  switch (format) {
    case proto::TraceFile::AZURE:
      return workload::TraceFormat::AzureCsv;
    case proto::TraceFile::MOONCAKE:
      return workload::TraceFormat::MooncakeJsonl;
    case proto::TraceFile::CSV:
      return workload::TraceFormat::PlainCsv;
    default:
      return workload::TraceFormat::Auto;
  }
}

std::int64_t longest(const workload::LengthLaw& law) {
  // The quantile next to 1 of an unbounded law is its bound: all laws have one.
  if (const auto* fixed = std::get_if<workload::FixedLength>(&law)) return fixed->tokens;
  if (const auto* uniform = std::get_if<workload::UniformLength>(&law)) return uniform->max;
  if (const auto* lognormal = std::get_if<workload::LognormalLength>(&law)) return lognormal->max;
  const auto& grid = std::get<workload::GridLength>(law);
  return grid.tokens.empty() ? 0 : static_cast<std::int64_t>(grid.tokens.back());
}

/// Mean time in a state of the arrival process.
Seconds mean_stay(const workload::Mmpp& states) {
  double changes = 0.0;  // a bin
  for (std::size_t i = 0; i < states.rates.size(); ++i) {
    changes += states.stationary[i] * (1.0 - states.transition[i][i]);
  }
  return changes > 0.0 ? states.bin / changes : Seconds{};
}

}  // namespace

std::string Resolver::absolute(const std::string& path) const {
  return std::filesystem::absolute(located(path)).lexically_normal().string();
}

void Resolver::check_lengths(std::int64_t longest_input, std::int64_t longest_request) {
  const serving::SchedulerSettings& s = scenario_.deployment.scheduler;
  if (!s.enable_chunked_prefill && longest_input > s.max_num_batched_tokens) {
    error("deployment.scheduler.enable_chunked_prefill",
          fmt::format("false leaves prompts of up to {} tokens above max_num_batched_tokens {}",
                      longest_input, s.max_num_batched_tokens),
          "raise max_num_batched_tokens or write true");
  }
  if (max_model_len_ > 0 && longest_request > max_model_len_) {
    error("deployment.scheduler.max_model_len",
          fmt::format("requests of up to {} tokens are longer than {}", longest_request,
                      max_model_len_),
          "raise it or shorten the workload");
  }
  const std::int64_t context = scenario_.deployment.model.context_length;
  if (has_model_ && context > 0 && longest_request > context) {
    note(
        fmt::format("requests of up to {} tokens are longer than the context of {} ({}): those "
                    "above it are rejected and counted",
                    longest_request, scenario_.deployment.model.name, context));
  }
}

void Resolver::note_slow_states(const workload::WorkloadModel& model) {
  constexpr double kEnoughStates = 10.0;
  const auto* states = std::get_if<workload::Mmpp>(&model.arrivals);
  const serving::RunSettings& run = scenario_.run;
  if (states == nullptr || run.duration == SimTime::never() || run.windows.on()) return;
  const Seconds stay = mean_stay(*states);
  const Seconds window = (run.duration - run.warm_up).seconds();
  if (window <= Seconds{} || window >= kEnoughStates * stay) return;
  note(fmt::format(
      "the arrival rate stays in a state for {} s on average: a window of {} s sees few "
      "of them, and its intervals do not tell how others differ; compare seeds or run "
      "longer",
      format_number(std::round(stay / 1.0_s)), format_number(window / 1.0_s)));
}

void Resolver::check_lengths(const workload::LengthLaw& input, const workload::LengthLaw& output) {
  const auto* in = std::get_if<workload::FixedLength>(&input);
  const auto* out = std::get_if<workload::FixedLength>(&output);
  const std::int64_t context = scenario_.deployment.model.context_length;
  if (in != nullptr && out != nullptr && has_model_ && context > 0 &&
      in->tokens + out->tokens > context) {
    error("workload.input",
          fmt::format("every request has {} tokens, the context of {} is {}",
                      in->tokens + out->tokens, scenario_.deployment.model.name, context),
          "shorten input or output, or choose a model of longer context");
    return;
  }
  check_lengths(longest(input), longest(input) + longest(output));
}

void Resolver::resolve_trace(proto::Workload& workload) {
  WorkloadSettings& settings = scenario_.workload;
  const auto refuse = [&](bool given, const char* field, const char* hint) {
    if (given) error(join_path("workload", field), "does not go with a trace", hint);
  };
  refuse(workload.has_rate(), "rate", "rate_scale multiplies the load of a trace");
  refuse(workload.has_input(), "input", "the trace has the lengths");
  refuse(workload.has_output(), "output", "the trace has the lengths");
  refuse(workload.has_rank_correlation(), "rank_correlation", "the trace has the lengths");
  refuse(workload.has_rate_curve(), "rate_curve", "rate_scale multiplies the load of a trace");
  refuse(workload.has_rate_modulation(), "rate_modulation", "the trace has the arrivals");
  if (settings.concurrency > 0) refuse_pace(workload.has_rate_scale(), "rate_scale");
  proto::TraceFile& file = *workload.mutable_trace();
  if (!file.has_format()) file.set_format(proto::TraceFile::AUTO);
  if (!file.has_on_bad_row()) file.set_on_bad_row(proto::TraceFile::FAIL);
  if (file.file().empty()) {
    findings_.missing("workload.trace.file", "is missing", "name a trace");
    return;
  }
  if (!may_open("workload.trace.file") || findings_.any_at("workload.rate_scale")) return;
  workload::ReadOptions options;
  options.on_bad_row = file.on_bad_row() == proto::TraceFile::SKIP ? workload::OnBadRow::Skip
                                                                   : workload::OnBadRow::Fail;
  const serving::RunSettings& run = scenario_.run;
  if (run.max_requests > 0) options.max_requests = run.max_requests;
  if (settings.concurrency == 0) {  // A closed loop does not use the times of the trace.
    options.rate_scale = settings.rate_scale;
    if (run.duration != SimTime::never()) options.duration = run.duration.seconds();
  }
  try {
    const std::string path = located(file.file());
    auto trace = std::make_shared<workload::Trace>(
        workload::read_trace_file(path, format_of(file.format()), options));
    std::int64_t longest_input = 0;
    std::int64_t longest_request = 0;
    for (const workload::Request& request : trace->requests) {
      longest_input = std::max<std::int64_t>(longest_input, request.input_tokens);
      longest_request = std::max<std::int64_t>(
          longest_request, std::int64_t{request.input_tokens} + request.output_tokens);
    }
    check_lengths(longest_input, longest_request);
    for (const std::string& text : trace->notes) note(text);
    check_prefix_blocks(*trace);
    settings.description =
        fmt::format("trace {}, {} requests", std::filesystem::path(path).filename().string(),
                    trace->requests.size());
    settings.trace = std::move(trace);
    file.set_file(absolute(file.file()));
  } catch (const IoError& problem) {
    error("workload.trace.file", problem.what(), "paths start at the folder of this file");
  } catch (const InputError& problem) {
    for (const Diagnostic& diagnostic : problem.diagnostics()) findings_.add(diagnostic);
  }
}

std::optional<workload::WorkloadModel> Resolver::preset_model(const std::string& name) {
  const std::string path = "workload.preset";
  if (!may_open(path)) return std::nullopt;
  const std::string file = find_catalog_directory() + "/workloads.txtpb";
  std::vector<workload::WorkloadModel> presets = read_workload_presets(file);
  std::vector<std::string> names;
  for (workload::WorkloadModel& preset : presets) {
    if (equal_ignoring_case(preset.name, name)) {
      load_client_pool(preset, std::filesystem::path(file).parent_path().string());
      return std::move(preset);
    }
    names.push_back(preset.name);
  }
  const std::string nearest = did_you_mean(name, names);
  error(path, "is no workload of the catalog, got " + shown(name),
        nearest.empty() ? "known: " + alternatives(names) : nearest);
  return std::nullopt;
}

bool Resolver::written_laws(const proto::Workload& workload, workload::WorkloadModel& model) {
  if (workload.has_arrivals()) {
    auto arrivals = convert_arrivals(workload.arrivals(), "workload.arrivals", findings_);
    if (!arrivals) return false;
    model.arrivals = std::move(*arrivals);
    if (std::holds_alternative<workload::ClientPool>(model.arrivals)) {
      if (!may_open("workload.arrivals.clients.file")) return false;
      try {
        load_client_pool(model, located("."));
      } catch (const IoError& problem) {
        error("workload.arrivals.clients.file", problem.what(),
              "paths start at the folder of this file");
        return false;
      }
    }
  }
  bool good = true;
  const auto take = [&](auto converted, auto& into) {
    if (converted) {
      into = std::move(*converted);
    } else {
      good = false;
    }
  };
  if (workload.has_input()) {
    take(convert_length(workload.input(), "workload.input", findings_), model.input);
  }
  if (workload.has_output()) {
    take(convert_length(workload.output(), "workload.output", findings_), model.output);
  }
  if (workload.has_rate_curve()) {
    take(convert_curve(workload.rate_curve(), "workload.rate_curve", findings_), model.curve);
  }
  if (workload.has_rate_modulation()) {
    take(convert_modulation(workload.rate_modulation(), "workload.rate_modulation", findings_),
         model.modulation);
  }
  if (workload.has_rank_correlation()) model.rank_correlation = workload.rank_correlation();
  return good;
}

/// A closed loop sets its own pace: what the user wrote about it is a mistake.
void Resolver::refuse_pace(bool given, const char* field) {
  if (!given) return;
  error(join_path("workload", field),
        "does not go with concurrency: a closed loop sets its own pace", "keep one of them");
}

/// The rate of an open loop, or the users of a closed one.
void Resolver::resolve_load(proto::Workload& workload, workload::WorkloadModel& model) {
  WorkloadSettings& settings = scenario_.workload;
  if (const auto* loop = std::get_if<workload::ClosedLoop>(&model.arrivals)) {
    if (settings.concurrency == 0) settings.concurrency = loop->concurrency;
  }
  if (settings.concurrency > 0) {
    refuse_pace(workload.has_rate(), "rate");
    refuse_pace(workload.has_rate_scale(), "rate_scale");
    refuse_pace(workload.has_rate_curve(), "rate_curve");
    refuse_pace(workload.has_rate_modulation(), "rate_modulation");
    if (model.curve || model.modulation) {
      note(fmt::format("{}: a closed loop has no rate, so its course over the day is not applied",
                       model.name));
    }
    model.arrivals = workload::ClosedLoop{settings.concurrency};
    model.default_rate.reset();
    model.curve.reset();
    model.modulation.reset();
    return;
  }
  if (workload.has_rate()) {
    model.default_rate = checked_quantity<PerSecond>(findings_, "workload.rate", workload.rate(),
                                                     parse_rate, kRateRange);
  } else if (model.default_rate) {
    workload.set_rate(fmt::format("{} req/s", model.default_rate->base()));
  } else {
    findings_.missing("workload.rate", "is missing",
                      "write a rate, as in rate: \"5 req/s\", or concurrency");
  }
  const double turns = std::max(1.0, workload.sessions().turns());
  if (model.default_rate && *model.default_rate * (settings.rate_scale / turns) < kSlowest) {
    error("workload.rate_scale",
          turns > 1.0 ? "and sessions.turns leave fewer than 0.0001 sessions per second"
                      : "leaves fewer than 0.0001 requests per second");
  }
}

void Resolver::resolve_parametric(proto::Workload& workload) {
  WorkloadSettings& settings = scenario_.workload;
  workload::WorkloadModel model;
  model.name = "custom";
  if (workload.has_preset()) {
    auto preset = preset_model(workload.preset());
    if (!preset) return;
    model = std::move(*preset);
    workload.set_preset(model.name);
  } else if (!workload.has_arrivals() && settings.concurrency == 0) {
    findings_.missing("workload", "says neither when requests come nor how many users there are",
                      "write one of trace, preset, arrivals or concurrency");
    return;
  }
  if (!written_laws(workload, model)) return;
  lengths_of_classes(workload, model);
  if (!workload.has_preset()) {
    const char* hint = "write the tokens of a request, as in { fixed_tokens: 1024 }";
    if (!model.input) findings_.missing("workload.input", "is missing", hint);
    if (!model.output) findings_.missing("workload.output", "is missing", hint);
  }
  resolve_load(workload, model);
  if (scenario_.run.windows.on() && std::holds_alternative<workload::ClientPool>(model.arrivals)) {
    error("simulation.time_windows",
          "does not go with clients, whose rates have windows of their own",
          "leave it out, or write other arrivals");
  }
  for (Diagnostic& found : workload::check_model(model)) {
    if (found.field == "default_rate") found.field = "rate";
    found.file.clear();
    if (!findings_.any_at(join_path("workload", found.field))) {
      findings_.add_below("workload", std::move(found));
    }
  }
  const serving::RunSettings& run = scenario_.run;
  if (run.max_requests == 0 && run.duration == SimTime::never()) {
    findings_.missing("simulation.duration", "is missing: the workload has no end of its own",
                      "set simulation.duration or simulation.max_requests");
  }
  if (model.input && model.output) check_lengths(*model.input, *model.output);
  if (settings.concurrency == 0) note_slow_states(model);
  if (workload.has_prefix_reuse() || workload.has_sessions())
    model.prefix.reset();  // The scenario says what is reused.
  for (const std::string& text : workload::model_notes(model)) note(text);
  settings.description =
      settings.concurrency > 0
          ? fmt::format("{}, closed loop of {}", model.name, settings.concurrency)
          : fmt::format("{}, {} req/s", model.name,
                        model.default_rate ? format_number(model.default_rate->base()) : "own");
  settings.model = std::move(model);
}

void Resolver::resolve_workload() {
  if (!message_.has_workload()) {
    findings_.missing(
        "workload", "is missing",
        "write workload { trace { file: \"...\" } } or workload { preset: \"chat_steady\" }");
    return;
  }
  proto::Workload& workload = *message_.mutable_workload();
  WorkloadSettings& settings = scenario_.workload;
  if (workload.has_rate_scale()) {
    settings.rate_scale = checked_real(findings_, "workload.rate_scale", workload.rate_scale(),
                                       1e-3, LowEnd::Included, 1e6);
  }
  if (!workload.has_concurrency()) workload.set_concurrency(0);
  settings.concurrency =
      checked_count(findings_, "workload.concurrency", workload.concurrency(), 0, 1'000'000);
  if (workload.has_trace()) {
    resolve_trace(workload);
  } else {
    resolve_parametric(workload);
  }
  resolve_prefix_reuse(workload);
  resolve_sessions(workload);
  resolve_classes(workload);
  if (settings.concurrency == 0) workload.set_rate_scale(settings.rate_scale);
  if (settings.concurrency == 0 && settings.rate_scale != 1.0) {
    settings.description += fmt::format(", rate x {}", format_number(settings.rate_scale));
  }
  if (settings.concurrency > 0 && settings.trace) {
    settings.description += fmt::format(", closed loop of {}", settings.concurrency);
  }
}

}  // namespace moesim::scenario
