#include "serving_runs.h"

#include <fmt/format.h>

#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <vector>

#include "calibration/score.h"
#include "core/diagnostics.h"
#include "engine_fit/overhead_fit.h"
#include "scenario/catalog_overheads.h"
#include "scenario/catalog_reader.h"

namespace moesim::tools {
namespace {

using engine_fit::Prediction;

using Name = std::function<std::string(const Prediction&)>;

std::string errors(const std::vector<const Prediction*>& rows,
                   double (*predicted)(const Prediction&), double (*measured)(const Prediction&)) {
  std::vector<double> p;
  std::vector<double> m;
  for (const Prediction* row : rows) {
    p.push_back(predicted(*row));
    m.push_back(measured(*row));
  }
  const calibration::ErrorSummary e = calibration::summarize(m, p);
  return fmt::format("{:5.1f} / {:5.1f} {:+6.1f}", 100 * e.median, 100 * e.p90, 100 * e.bias);
}

void print_errors(const std::vector<Prediction>& all, const Name& name) {
  std::map<std::string, std::vector<const Prediction*>> groups;
  for (const Prediction& p : all) groups[name(p)].push_back(&p);
  for (const auto& [group, rows] : groups) {
    std::cout << fmt::format("  {:<52} {:5} rows  TPOT {}  TTFT {}  throughput {}\n", group,
                             rows.size(),
                             errors(
                                 rows, [](const Prediction& p) { return p.tpot; },
                                 [](const Prediction& p) { return p.row->run->tpot; }),
                             errors(
                                 rows, [](const Prediction& p) { return p.ttft; },
                                 [](const Prediction& p) { return p.row->run->ttft; }),
                             errors(
                                 rows, [](const Prediction& p) { return p.throughput(); },
                                 [](const Prediction& p) { return p.measured_throughput(); }));
  }
}

/// Whether the shipped file holds these constants, digit by digit.
bool as_shipped(const std::string& text, const std::string& directory) {
  const catalog::Catalog shipped =
      scenario::read_catalog(directory, scenario::CatalogParts::Engines);
  const std::string old = scenario::overheads_text(shipped.engine_overheads);
  return old == text;
}

}  // namespace

bool fit_serving_runs(const std::string& data, const std::string& out, const std::string& source,
                      bool check) {
  const catalog::Catalog catalog = scenario::read_run_catalog();
  engine_fit::BenchmarkTable table =
      engine_fit::read_benchmark_runs(calibration::CsvTable::read(data + "/e2e_runs.csv"));
  const auto rows = engine_fit::replay_runs(table.runs, catalog, table.left_out);
  std::map<std::string, int> reasons;
  for (const engine_fit::LeftOut& left : table.left_out) ++reasons[left.reason];
  std::cout << fmt::format("engine_overheads: {} runs\n", rows.size());
  for (const auto& [reason, count] : reasons) {
    std::cout << fmt::format("  left out {}: {}\n", count, reason);
  }
  const engine_fit::OverheadFit fit = engine_fit::fit_overheads(rows, source);
  std::cout << "  deployments left out of the fit, %: median / 90th percentile, bias\n";
  print_errors(fit.left_out, [](const Prediction&) { return std::string("all"); });
  print_errors(fit.left_out,
               [](const Prediction& p) { return p.row->run->engine + ", " + p.row->architecture; });
  print_errors(fit.left_out, [](const Prediction& p) {
    return p.row->run->engine + ", " + p.row->run->gpu + ", " + p.row->run->model + ", " +
           p.row->run->precision;
  });
  print_errors(fit.left_out, [](const Prediction& p) {
    return std::string(p.row->run->repaired ? "parallelism repaired" : "parallelism as published");
  });
  const std::string text = scenario::overheads_text(fit.overheads);
  if (!out.empty()) {
    const std::string path = out + "/engine_overheads.txtpb";
    std::ofstream file(path, std::ios::binary);
    file << "# What engines add to kernels and requests. Fields: proto/catalog.proto. How they "
            "were\n"
            "# fitted: docs/models/engine_overheads.md.\n"
            "# proto-file: proto/catalog.proto\n# proto-message: moesim.proto.CatalogFile\n"
         << text;
    file.close();
    if (!file) throw IoError("cannot write " + path);
  }
  return !check || as_shipped(text, scenario::find_catalog_directory());
}

}  // namespace moesim::tools
