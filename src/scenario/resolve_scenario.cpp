// The parts of a scenario in order, and its smallest ones: names, simulation, limits of latency.
#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "scenario/message_reader.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"

namespace moesim::scenario {

std::string Resolver::located(const std::string& path) const {
  const std::filesystem::path folder =
      origin_.folder.empty() ? std::filesystem::path(".") : std::filesystem::path(origin_.folder);
  return (folder / path).lexically_normal().string();
}

bool Resolver::may_open(const std::string& path) {
  if (!origin_.may_open_files) error(path, "needs a file, and files are not opened here");
  return origin_.may_open_files;
}

Scenario Resolver::resolve() {
  const proto::Deployment& deployment = message_.deployment();
  if (deployment.has_prefill() || deployment.has_decode()) return resolve_pools();
  if (deployment.has_kv_transfer()) {
    error("deployment.kv_transfer", "is how caches get from a prefill to a decode pool",
          "give deployment.prefill and deployment.decode, or leave it out");
  }
  if (deployment.has_cluster() || deployment.has_gpu_price()) {
    error(deployment.has_cluster() ? "deployment.cluster" : "deployment.gpu_price",
          "is for pools with nodes of their own",
          "use cluster and pricing.gpu_price of the scenario, or write it in prefill and decode");
  }
  resolve_names();
  resolve_simulation();
  resolve_model();
  resolve_cluster();
  note_degraded();
  resolve_deployment();
  resolve_autoscaling();
  check_arithmetic();
  resolve_experts();
  resolve_workload();
  check_cache_tiers();
  scenario_.slo = convert_slo(message_.slo(), findings_);
  resolve_pricing();
  scenario_.resolved_text = to_text(message_);
  return std::move(scenario_);
}

Scenario Resolver::resolve_only_cluster() {
  if (!message_.has_cluster() && message_.deployment().prefill().has_cluster()) {
    error("deployment.prefill.cluster", "is one of two clusters, which are not drawn together",
          "write each into a file of its own: cluster { ... }");
    return std::move(scenario_);
  }
  resolve_cluster();
  return std::move(scenario_);
}

void Resolver::resolve_names() {
  const auto limited = [&](const std::string& path, const std::string& text, std::size_t limit) {
    if (text.size() > limit) {
      error(path, fmt::format("has {} bytes, at most {}", text.size(), limit));
    }
  };
  if (!message_.has_name()) {
    message_.set_name(std::filesystem::path(origin_.file_name).stem().string());
  }
  if (message_.name().empty()) error("name", "is empty", "write a short name or leave it out");
  limited("name", message_.name(), 200);
  limited("description", message_.description(), 4000);
  check_printable(message_.name(), "name", findings_);
  check_printable(message_.description(), "description", findings_, BlankLines::Allowed);
  scenario_.name = message_.name();
  scenario_.description = message_.description();
}

void Resolver::resolve_simulation() {
  constexpr QuantityRange kWarmUp{"0 s", LowEnd::Included, "100 d"};
  constexpr QuantityRange kDuration{"0 s", LowEnd::Excluded, "100 d"};
  proto::Simulation& simulation = *message_.mutable_simulation();
  serving::RunSettings& run = scenario_.run;
  if (!simulation.has_seed()) simulation.set_seed(1);
  run.seed = simulation.seed();
  if (!simulation.has_warm_up()) simulation.set_warm_up("0 s");
  const auto warm_up = checked_quantity<Seconds>(findings_, "simulation.warm_up",
                                                 simulation.warm_up(), parse_seconds, kWarmUp);
  if (warm_up) run.warm_up = SimTime::from(*warm_up);
  if (simulation.has_duration()) {
    const auto duration = checked_quantity<Seconds>(
        findings_, "simulation.duration", simulation.duration(), parse_seconds, kDuration);
    if (duration) run.duration = SimTime::from(*duration);
    if (duration && warm_up && *duration <= *warm_up) {
      error("simulation.warm_up",
            fmt::format("lasts {} of a duration of {}", shown(simulation.warm_up()),
                        shown(simulation.duration())),
            "no request would be counted: shorten it");
    }
  }
  resolve_time_windows();
  if (!simulation.has_fidelity()) simulation.set_fidelity(proto::Simulation::EXACT);
  if (simulation.fidelity() == proto::Simulation::SAMPLED) {
    run.fidelity = serving::Fidelity::Sampled;
  }
  if (!simulation.has_max_requests()) simulation.set_max_requests(0);
  run.max_requests = checked_count(findings_, "simulation.max_requests", simulation.max_requests(),
                                   0, 100'000'000);
  if (simulation.has_stop_at_half_width()) {
    run.stop_at_half_width =
        checked_real(findings_, "simulation.stop_at_half_width", simulation.stop_at_half_width(),
                     0.0, LowEnd::Excluded, 1.0);
  }
}

void check_printable(const std::string& text, const char* path, Findings& findings,
                     BlankLines lines) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const bool blank = byte == '\t' || byte == '\n' || byte == '\r';
    if (blank && lines == BlankLines::Allowed) continue;
    // U+0080 .. U+009F are c2 80 .. c2 9f.
    const bool second_set =
        byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if (byte >= 0x20 && byte != 0x7f && !second_set) continue;
    findings.error(path, "holds a control character, got " + shown(text), "write plain text");
    return;
  }
}

serving::SloLimits convert_slo(const proto::Slo& slo, Findings& findings, const std::string& path) {
  constexpr QuantityRange kRange{"0 s", LowEnd::Excluded, "30 d"};
  serving::SloLimits limits;
  const auto limit = [&](bool given, const char* name, const std::string& text, SimTime& into) {
    if (!given) return;
    const auto value =
        checked_quantity<Seconds>(findings, join_path(path, name), text, parse_seconds, kRange);
    if (value) into = SimTime::from(*value);
  };
  limit(slo.has_ttft(), "ttft", slo.ttft(), limits.ttft);
  limit(slo.has_tpot(), "tpot", slo.tpot(), limits.tpot);
  limit(slo.has_end_to_end(), "end_to_end", slo.end_to_end(), limits.end_to_end);
  return limits;
}

}  // namespace moesim::scenario
