#include "scenario/sweep_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "scenario/findings.h"
#include "scenario/message_reader.h"
#include "scenario/outline.h"
#include "scenario/quantity_field.h"
#include "scenario/resolver.h"
#include "sweep.pb.h"

namespace moesim::scenario {
namespace {

constexpr int kMaxAxisValues = 1000;

std::vector<std::int64_t> axis(const google::protobuf::RepeatedField<std::int64_t>& values,
                               const std::string& path, Findings& findings) {
  std::vector<std::int64_t> result;
  if (values.size() > kMaxAxisValues) {
    findings.error(path, fmt::format("has {} values, at most {}", values.size(), kMaxAxisValues));
    return result;
  }
  for (int i = 0; i < values.size(); ++i) {
    const std::string at = fmt::format("{}[{}]", path, i);
    const std::int64_t value = checked_count(findings, at, values[i], 1, kMaxGpus);
    if (std::find(result.begin(), result.end(), value) != result.end()) {
      if (!findings.any_at(at)) findings.error(at, fmt::format("{} stands twice", value));
      continue;
    }
    result.push_back(value);
  }
  std::sort(result.begin(), result.end());
  return result;
}

Objective objective_of(proto::Sweep::Objective objective) {
  switch (objective) {
    case proto::Sweep::USD_PER_MONTH:
      return Objective::UsdPerMonth;
    case proto::Sweep::OUTPUT_TOKENS_PER_S:
      return Objective::OutputTokensPerS;
    case proto::Sweep::GOODPUT_REQUESTS_PER_S:
      return Objective::GoodputRequestsPerS;
    default:
      return Objective::UsdPerMillionOutputTokens;
  }
}

/// One file, its message and what is wrong with it.
class SweepResolver {
 public:
  SweepResolver(proto::Sweep& message, const TextOrigin& origin, const catalog::Catalog& catalog,
                Findings& findings)
      : message_(message), origin_(origin), catalog_(catalog), findings_(findings) {}

  Sweep resolve() {
    sweep_.name = message_.has_name() ? message_.name()
                                      : std::filesystem::path(origin_.file_name).stem().string();
    sweep_.description = message_.description();
    check_printable(sweep_.name, "name", findings_);
    check_printable(sweep_.description, "description", findings_, BlankLines::Allowed);
    sweep_.tp = axis(message_.tp(), "tp", findings_);
    sweep_.pp = axis(message_.pp(), "pp", findings_);
    sweep_.dp = axis(message_.dp(), "dp", findings_);
    sweep_.ep = axis(message_.ep(), "ep", findings_);
    sweep_.replicas = axis(message_.replicas(), "replicas", findings_);
    sweep_.objective = objective_of(message_.objective());
    limits();
    if (find_base()) {
      read_base();
      axes();
    }
    limits_of_latency();
    return std::move(sweep_);
  }

 private:
  void limits() {
    const proto::SweepLimits& limits = message_.limits();
    if (limits.has_max_candidates()) {
      sweep_.max_candidates =
          checked_count(findings_, "limits.max_candidates", limits.max_candidates(), 1, 1'000'000);
    }
    if (limits.has_min_slo_attainment()) {
      sweep_.min_slo_attainment =
          checked_real(findings_, "limits.min_slo_attainment", limits.min_slo_attainment(), 0.0,
                       LowEnd::Excluded, 1.0);
    }
    if (limits.has_max_requests()) {
      sweep_.max_requests =
          checked_count(findings_, "limits.max_requests", limits.max_requests(), 1, 100'000'000);
    }
  }

  /// Text and origin of the base scenario. False, with a report, if there is none.
  bool find_base() {
    sweep_.base_origin = origin_;
    switch (message_.base_case()) {
      case proto::Sweep::kScenario: {
        if (!origin_.may_open_files) {
          findings_.error("scenario", "needs a file, and files are not opened here");
          return false;
        }
        const std::filesystem::path folder = origin_.folder.empty()
                                                 ? std::filesystem::path(".")
                                                 : std::filesystem::path(origin_.folder);
        const std::string path = (folder / message_.scenario()).lexically_normal().string();
        try {
          sweep_.base_text = read_file(path, kMaxInputBytes);
          sweep_.base_origin = origin_of(path);
          return true;
        } catch (const IoError& problem) {
          findings_.error("scenario", problem.what(), "paths start at the folder of this file");
        }
        return false;
      }
      case proto::Sweep::kInlineScenario:
        sweep_.base_text = to_text(message_.inline_scenario());
        sweep_.base_origin.syntax = Syntax::Text;
        return true;
      case proto::Sweep::BASE_NOT_SET:
        findings_.missing("scenario", "is missing", "name the scenario to start from");
        return false;
    }
    return false;
  }

  void read_base() {
    const bool written_here = message_.has_inline_scenario();
    try {
      sweep_.base = read_scenario_text(sweep_.base_text, sweep_.base_origin, {}, catalog_);
      has_base_ = true;
      if (!sweep_.base.pools.empty()) {
        findings_.error("",
                        "the base scenario has a prefill and a decode pool: layouts of pools "
                        "are not searched",
                        "simulate or compare scenarios with pools one by one");
      }
    } catch (const InputError& problem) {
      for (Diagnostic found : problem.diagnostics()) {
        // The text was printed from the message: its lines mean nothing to the user.
        if (written_here && found.file == origin_.file_name) {
          found.file.clear();
          findings_.add_below("inline_scenario", std::move(found));
        } else {
          findings_.add(std::move(found));
        }
      }
    }
  }

  /// Each value of each further axis must make a scenario that is right but for its layout.
  void axes() {
    for (int i = 0; i < message_.vary_size(); ++i) {
      const proto::SweepAxis& axis = message_.vary(i);
      const std::string path = fmt::format("vary[{}]", i);
      if (axis.field().empty()) {
        findings_.error(path, "names no field", "write field: \"deployment.precision\"");
        continue;
      }
      if (axis.value_size() == 0 || axis.value_size() > kMaxAxisValues) {
        findings_.error(
            path, fmt::format("has {} values, expected 1..{}", axis.value_size(), kMaxAxisValues));
        continue;
      }
      SweepAxis result{axis.field(), {axis.value().begin(), axis.value().end()}};
      for (int j = 0; has_base_ && j < axis.value_size(); ++j) {
        check_value(axis.field() + "=" + axis.value(j), fmt::format("{}.value[{}]", path, j));
      }
      sweep_.vary.push_back(std::move(result));
    }
  }

  /// How many copies of experts there may be is a question of each candidate's ep.
  static bool depends_on_layout(const std::string& assignment, const Diagnostic& found) {
    return found.field == "experts.redundant_experts" &&
           assignment.starts_with("experts.redundant_experts=") &&
           found.message.find(" ep ") != std::string::npos;
  }

  /// Reports what is wrong with the value itself; what it makes of the base scenario's layout is a
  /// refused candidate, no mistake. Files are opened only for fields that may name one.
  void check_value(const std::string& assignment, const std::string& path) {
    TextOrigin origin = sweep_.base_origin;
    origin.may_open_files = origin_.may_open_files && (assignment.starts_with("workload") ||
                                                       assignment.starts_with("experts") ||
                                                       assignment.starts_with("huggingface"));
    try {
      static_cast<void>(read_scenario_text(sweep_.base_text, origin, {assignment}, catalog_));
    } catch (const InputError& problem) {
      for (const Diagnostic& found : problem.diagnostics()) {
        if (found.file != "--set " + assignment) continue;
        if (depends_on_layout(assignment, found)) continue;
        findings_.error(path, fmt::format("{}: {}", found.field, found.message), found.hint);
      }
    }
  }

  /// The limits of the sweep, else those of the scenario.
  void limits_of_latency() {
    sweep_.slo = sweep_.base.slo;
    if (message_.has_slo()) sweep_.slo = convert_slo(message_.slo(), findings_);
  }

  proto::Sweep& message_;
  const TextOrigin& origin_;
  const catalog::Catalog& catalog_;
  Findings& findings_;
  Sweep sweep_;
  bool has_base_ = false;
};

}  // namespace

std::string to_string(Objective objective) {
  switch (objective) {
    case Objective::UsdPerMillionOutputTokens:
      return "usd_per_million_output_tokens";
    case Objective::UsdPerMonth:
      return "usd_per_month";
    case Objective::OutputTokensPerS:
      return "output_tokens_per_s";
    case Objective::GoodputRequestsPerS:
      return "goodput_requests_per_s";
  }
  return "";
}

Sweep read_sweep_text(std::string_view text, const TextOrigin& origin,
                      const std::vector<std::string>& overrides, const catalog::Catalog& catalog) {
  Findings findings(origin.file_name);
  proto::Sweep message;
  const bool complete = read_message(text, origin.syntax, message, findings);
  for (const std::string& assignment : overrides) apply_override(assignment, message, findings);
  if (!complete) findings.throw_if_any();
  Sweep sweep = SweepResolver(message, origin, catalog, findings).resolve();
  findings.throw_if_any();
  return sweep;
}

Sweep read_sweep_file(const std::string& path, const std::vector<std::string>& overrides,
                      const catalog::Catalog& catalog) {
  return read_sweep_text(read_file(path, kMaxInputBytes), origin_of(path), overrides, catalog);
}

}  // namespace moesim::scenario
