// Published measurements of serving systems: one figure a row, as its table states it.
//
// Nothing is interpreted here: names are the publisher's. An absent number was not published.
// Layer: scenario.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace moesim::scenario {

struct PublishedRow {
  std::string id;  ///< "TRT17-001"; the part before the last '-' is the family.
  std::string source, date, model, precision, engine, gpu, interconnect, pd_mode;
  std::optional<double> gpus, nodes, tp, pp, dp, ep;
  std::optional<double> input_tokens, output_tokens, cached_fraction;
  std::optional<double> concurrency_per_gpu;
  std::optional<double> request_rate;  ///< Per second; infinite: all requests at the start.
  std::string metric, unit, note;
  std::optional<double> value;
  [[nodiscard]] std::string family() const { return id.substr(0, id.rfind('-')); }
};

/// Lengths of a data set that runs name but do not state.
struct DatasetLengths {
  std::string source;  ///< Runs whose source contains this ...
  std::string model;   ///< ... and whose model is this one of the catalog.
  double input_tokens = 0;
  std::string basis;
  std::int64_t requests = 0;  ///< Of an offline run; 0: not known.
};

/// Requests of a published run, one by one.
struct RecordedRun {
  std::string source, name, model, gpu;
  std::string file;  ///< CSV of the requests, a path that can be opened.
};

struct PublishedRows {
  std::vector<PublishedRow> rows;
  std::vector<DatasetLengths> datasets;
  std::vector<RecordedRun> recordings;
  std::vector<std::string> notes;  ///< What of the input was not used.
};

/// A table with the columns of docs/formats/published.md. Throws InputError with every mistake
/// (file, line, column), IoError.
[[nodiscard]] PublishedRows read_published_csv(const std::string& path);
[[nodiscard]] PublishedRows parse_published_csv(std::string_view text, const std::string& name);

/// The rows that come with the program: every *.txtpb below `directory`, by name of file.
[[nodiscard]] PublishedRows read_published_directory(const std::string& directory);
/// scenarios/validation beside the catalog.
[[nodiscard]] std::string find_published_directory();

/// Rows in the form in which they are shipped (proto/published.proto): what stands in the same
/// columns becomes one run.
[[nodiscard]] std::string published_text(const PublishedRows& rows);

}  // namespace moesim::scenario
