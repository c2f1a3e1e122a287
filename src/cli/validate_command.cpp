#include "cli/validate_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options.hpp>
#include <chrono>
#include <ostream>
#include <string>
#include <variant>
#include <vector>

#include "cli/progress.h"
#include "cli/validate_kernels_command.h"
#include "core/diagnostics.h"
#include "core/text.h"
#include "report/published_report.h"
#include "scenario/catalog_errors.h"
#include "scenario/catalog_reader.h"
#include "scenario/published_row.h"
#include "validation/row_scenario.h"
#include "validation/validation.h"

namespace moesim::cli {
namespace {

namespace po = boost::program_options;

constexpr const char* kUsage =
    "moesim validate [--family X] [--rows FILE.csv] [options]\n"
    "moesim validate kernels --data DIR\n"
    "moesim validate convert --rows FILE.csv\n\n"
    "Simulates every published measurement that the model covers and says how far off it is: per\n"
    "row, per family and per metric. Rows become scenarios by the rules of "
    "docs/models/accuracy.md;\n"
    "rows that ask for the same scenario share a run. What is not simulated is listed with the\n"
    "reason. Nothing in the model is fitted to these rows.\n\n"
    "  moesim validate --family TRT17\n"
    "  moesim validate --rows my_runs.csv --format csv\n"
    "  moesim validate --show-scenario MLP41-002\n\n"
    "`kernels` scores the operators' curves on measured latencies (moesim validate kernels "
    "--help).\n"
    "`convert` writes a table in the form in which rows are shipped.\n"
    "The output is the same for any --jobs. Exit codes: 0 done, 1 nothing could be scored, 2 "
    "wrong\n"
    "input.\n\n";

struct Options {
  std::string family;
  std::string rows;
  std::string format = "table";
  std::string show;
  int jobs = 0;
  bool quiet = false;
  bool replay = false;
};

scenario::PublishedRows read_rows(const Options& options) {
  scenario::PublishedRows shipped =
      scenario::read_published_directory(scenario::find_published_directory());
  if (options.rows.empty()) return shipped;
  scenario::PublishedRows rows = scenario::read_published_csv(options.rows);
  rows.datasets = std::move(shipped.datasets);
  rows.recordings = std::move(shipped.recordings);
  return rows;
}

void check_family(const scenario::PublishedRows& rows, std::string& family) {
  if (family.empty()) return;
  std::vector<std::string> known;
  for (const scenario::PublishedRow& row : rows.rows) {
    if (equal_ignoring_case(row.family(), family)) {
      family = row.family();
      return;
    }
    if (std::find(known.begin(), known.end(), row.family()) == known.end()) {
      known.push_back(row.family());
    }
  }
  throw InputError(Diagnostic{.field = "--family",
                              .message = fmt::format("no row is of the family \"{}\"", family),
                              .hint = fmt::format("known: {}", fmt::join(known, ", "))});
}

int show_scenario(const scenario::PublishedRows& rows, const std::string& id,
                  const catalog::Catalog& catalog, std::ostream& out) {
  std::vector<std::string> known;
  for (const scenario::PublishedRow& row : rows.rows) {
    known.push_back(row.id);
    if (!equal_ignoring_case(row.id, id)) continue;
    const validation::RowPlan plan = validation::plan_row(row, rows, catalog);
    if (const auto* left_out = std::get_if<validation::LeftOut>(&plan)) {
      fmt::print(stderr, "{} is left out: {}\n", row.id, left_out->reason);
      return kNothingFeasible;
    }
    const auto& planned = std::get<validation::RowScenario>(plan);
    out << fmt::format("# {}: {} of {}\n# Source: {}\n", row.id, row.metric, row.model, row.source);
    for (const std::string& text : planned.assumed) out << "# Assumed: " << text << "\n";
    out << "# proto-file: proto/scenario.proto\n# proto-message: moesim.proto.Scenario\n"
        << planned.text;
    return kDone;
  }
  const std::string nearest = nearest_name(id, known);
  throw InputError(Diagnostic{.field = "--show-scenario",
                              .message = fmt::format("there is no row \"{}\"", id),
                              .hint = nearest.empty() ? "" : "did you mean " + nearest + "?"});
}

int score(const scenario::PublishedRows& rows, const Options& options,
          const catalog::Catalog& catalog, std::ostream& out) {
  const auto start = std::chrono::steady_clock::now();
  Progress bar("validate", options.quiet);
  validation::Validation result = validation::validate_rows(
      rows, options.family, catalog, options.jobs, [&](std::int64_t done, std::int64_t count) {
        bar.update(static_cast<double>(done) / static_cast<double>(count),
                   fmt::format("{}/{} runs", done, count));
      });
  if (options.replay) result.replays = validation::replay_recordings(rows, catalog, options.jobs);
  bar.finish();
  if (options.format == "json") {
    out << report::published_json(result);
  } else if (options.format == "csv") {
    out << report::published_csv(result);
  } else if (options.format == "errors") {
    out << scenario::errors_text(validation::scored_figures(result));
  } else {
    out << report::published_table(result);
  }
  if (!options.quiet) {
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    fmt::print(stderr, "{} runs simulated in {:.3g} s\n", result.runs, took.count());
  }
  const bool any = result.all.error.rows + result.all.relative > 0;
  return any ? kDone : kNothingFeasible;
}

}  // namespace

int run_validate(const Arguments& arguments, std::ostream& out) {
  if (!arguments.empty() && arguments[0] == "kernels") {
    return run_validate_kernels({arguments.begin() + 1, arguments.end()}, out);
  }
  if (!arguments.empty() && !arguments[0].starts_with('-') && arguments[0] != "convert") {
    throw InputError(
        Diagnostic{.field = "validate",
                   .message = fmt::format("\"{}\" is nothing to validate", arguments[0]),
                   .hint = "kernels, convert, or nothing"});
  }
  Options values;
  std::string what;
  po::options_description options("Options");
  auto add = options.add_options();
  add("family", po::value(&values.family)->value_name("X"),
      "rows of this family alone (TRT17, ...)");
  add("rows", po::value(&values.rows)->value_name("FILE.csv"),
      "these measurements in place of the shipped ones (docs/formats/published.md)");
  add("show-scenario", po::value(&values.show)->value_name("ID"),
      "print the scenario of one row and stop");
  add("format", po::value(&values.format)->value_name("FORMAT")->default_value("table"),
      "table, json, csv, or errors: the catalog's prediction_errors.txtpb");
  add_jobs_option(options, values.jobs);
  add("replay", po::bool_switch(&values.replay),
      "also replay the runs whose requests are known one by one");
  add("quiet", po::bool_switch(&values.quiet), "no progress");
  add("help,h", "this text");
  po::options_description all;
  all.add(options).add_options()("what", po::value(&what));
  po::positional_options_description places;
  places.add("what", 1);
  po::variables_map found;
  if (!parse_options(arguments, all, places, found)) {
    out << kUsage << options;
    return kDone;
  }
  check_format(values.format, {"table", "json", "csv", "errors"});
  check_jobs(values.jobs);
  if (what == "convert") {
    if (values.rows.empty()) {
      throw InputError(Diagnostic{.field = "--rows", .message = "is required", .hint = ""});
    }
    out << scenario::published_text(scenario::read_published_csv(values.rows));
    return kDone;
  }
  const scenario::PublishedRows rows = read_rows(values);
  check_family(rows, values.family);
  const catalog::Catalog catalog = scenario::read_run_catalog();
  if (!values.show.empty()) return show_scenario(rows, values.show, catalog, out);
  return score(rows, values, catalog, out);
}

}  // namespace moesim::cli
