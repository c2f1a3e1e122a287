#include "scenario/workload_convert.h"

#include <fmt/format.h>

#include <filesystem>
#include <utility>

#include "scenario/message_reader.h"
#include "scenario/quantity_field.h"

namespace moesim::scenario {
namespace {

constexpr QuantityRange kStepRange{"0 s", LowEnd::Excluded, "366 d"};
constexpr std::size_t kMaxPoolBytes = std::size_t{256} << 20U;

std::optional<Seconds> required_step(bool given, const std::string& text, const std::string& path,
                                     const std::string& example, Findings& findings) {
  if (!given) {
    findings.missing(path, "is missing", "write \"" + example + "\"");
    return std::nullopt;
  }
  return checked_quantity<Seconds>(findings, path, text, parse_seconds, kStepRange);
}

std::optional<workload::ArrivalProcess> convert_mmpp(const proto::MmppArrivals& message,
                                                     const std::string& path, Findings& findings) {
  constexpr int kMaxStates = 64;
  workload::Mmpp process;
  const auto bin = required_step(message.has_bin(), message.bin(), path + ".bin", "5 s", findings);
  if (message.state_size() > kMaxStates) {
    findings.error(path + ".state",
                   fmt::format("has {} states, at most {}", message.state_size(), kMaxStates));
    return std::nullopt;
  }
  for (const proto::MmppState& state : message.state()) {
    process.rates.push_back(PerSecond::from_base(state.rate_per_s()));
    process.stationary.push_back(state.stationary());
    process.transition.emplace_back(state.transition().begin(), state.transition().end());
  }
  if (!bin) return std::nullopt;
  process.bin = *bin;
  return process;
}

}  // namespace

std::optional<workload::ArrivalProcess> convert_arrivals(const proto::ArrivalModel& message,
                                                         const std::string& path,
                                                         Findings& findings) {
  switch (message.kind_case()) {
    case proto::ArrivalModel::kPoisson:
      return workload::Poisson{};
    case proto::ArrivalModel::kGamma:
      if (!message.gamma().has_shape()) {
        findings.missing(path + ".gamma.shape", "is missing", "1 is Poisson, below 1 is burstier");
        return std::nullopt;
      }
      return workload::GammaRenewal{message.gamma().shape()};
    case proto::ArrivalModel::kMmpp:
      return convert_mmpp(message.mmpp(), path + ".mmpp", findings);
    case proto::ArrivalModel::kClosedLoop:
      return workload::ClosedLoop{message.closed_loop().concurrency()};
    case proto::ArrivalModel::kClients: {
      if (!message.clients().has_file()) {
        findings.missing(path + ".clients.file", "is missing", "name a table of clients");
        return std::nullopt;
      }
      workload::ClientPool pool;
      pool.file = message.clients().file();
      return pool;
    }
    case proto::ArrivalModel::KIND_NOT_SET:
      break;
  }
  findings.missing(path, "names no law of arrivals",
                   "write one of poisson {}, gamma, mmpp, closed_loop or clients");
  return std::nullopt;
}

std::optional<workload::LengthLaw> convert_length(const proto::LengthModel& message,
                                                  const std::string& path, Findings& findings) {
  switch (message.kind_case()) {
    case proto::LengthModel::kFixedTokens:
      return workload::FixedLength{message.fixed_tokens()};
    case proto::LengthModel::kUniform:
      return workload::UniformLength{message.uniform().min_tokens(),
                                     message.uniform().max_tokens()};
    case proto::LengthModel::kLognormal: {
      workload::LognormalLength law;
      law.median = message.lognormal().median_tokens();
      law.sigma = message.lognormal().sigma();
      if (message.lognormal().has_min_tokens()) law.min = message.lognormal().min_tokens();
      if (message.lognormal().has_max_tokens()) law.max = message.lognormal().max_tokens();
      return law;
    }
    case proto::LengthModel::kQuantiles: {
      workload::GridLength law;
      law.levels.assign(message.quantiles().level().begin(), message.quantiles().level().end());
      law.tokens.assign(message.quantiles().tokens().begin(), message.quantiles().tokens().end());
      return law;
    }
    case proto::LengthModel::KIND_NOT_SET:
      break;
  }
  findings.missing(path, "names no law of lengths",
                   "write one of fixed_tokens, uniform, lognormal or quantiles");
  return std::nullopt;
}

std::optional<workload::RateCurve> convert_curve(const proto::RateCurve& message,
                                                 const std::string& path, Findings& findings) {
  workload::RateCurve curve;
  const auto step =
      required_step(message.has_step(), message.step(), path + ".step", "1 h", findings);
  curve.multiplier.assign(message.multiplier().begin(), message.multiplier().end());
  curve.start = message.start();
  if (!step) return std::nullopt;
  curve.step = *step;
  return curve;
}

std::optional<workload::RateModulation> convert_modulation(const proto::RateModulation& message,
                                                           const std::string& path,
                                                           Findings& findings) {
  workload::RateModulation modulation;
  const auto step =
      required_step(message.has_step(), message.step(), path + ".step", "300 s", findings);
  modulation.cv = message.cv();
  if (!step) return std::nullopt;
  modulation.step = *step;
  return modulation;
}

workload::WorkloadModel convert_workload(const proto::WorkloadModel& message,
                                         const std::string& path, Findings& findings) {
  workload::WorkloadModel model;
  const auto at = [&](std::string_view name) { return join_path(path, name); };
  model.name = message.name();
  model.text = message.description();
  for (const std::string& source : message.source()) {
    model.source += (model.source.empty() ? "" : " ") + source;
  }
  if (auto arrivals = convert_arrivals(message.arrivals(), at("arrivals"), findings)) {
    model.arrivals = std::move(*arrivals);
  }
  if (message.has_default_rate()) {
    model.default_rate =
        checked_quantity<PerSecond>(findings, at("default_rate"), message.default_rate(),
                                    parse_rate, {"0 req/s", LowEnd::Excluded, "1e6 req/s"});
  }
  if (message.has_rate_curve()) {
    model.curve = convert_curve(message.rate_curve(), at("rate_curve"), findings);
  }
  if (message.has_rate_modulation()) {
    model.modulation =
        convert_modulation(message.rate_modulation(), at("rate_modulation"), findings);
  }
  if (message.has_input()) model.input = convert_length(message.input(), at("input"), findings);
  if (message.has_output()) model.output = convert_length(message.output(), at("output"), findings);
  if (message.has_rank_correlation()) model.rank_correlation = message.rank_correlation();
  if (message.has_prefix()) {
    workload::PrefixStructure prefix;
    prefix.block_tokens = message.prefix().block_tokens();
    if (message.prefix().has_reuse_fraction()) {
      prefix.reuse_fraction = message.prefix().reuse_fraction();
    }
    prefix.text = message.prefix().text();
    model.prefix = std::move(prefix);
  }
  model.notes.assign(message.note().begin(), message.note().end());
  return model;
}

void load_client_pool(workload::WorkloadModel& model, const std::string& folder) {
  auto* pool = std::get_if<workload::ClientPool>(&model.arrivals);
  if (pool == nullptr || !pool->clients.empty()) return;
  const std::string path = (std::filesystem::path(folder) / pool->file).lexically_normal().string();
  std::string file = pool->file;
  *pool = workload::read_client_pool(read_file(path, kMaxPoolBytes), path);
  pool->file = std::move(file);
}

std::vector<workload::WorkloadModel> read_workload_presets(const std::string& path) {
  Findings findings(path);
  proto::WorkloadCatalog catalog;
  std::vector<workload::WorkloadModel> presets;
  if (read_message(read_file(path, kMaxInputBytes), Syntax::Text, catalog, findings)) {
    for (int i = 0; i < catalog.workload_size(); ++i) {
      presets.push_back(
          convert_workload(catalog.workload(i), fmt::format("workload[{}]", i), findings));
    }
  }
  findings.throw_if_any();
  return presets;
}

}  // namespace moesim::scenario
