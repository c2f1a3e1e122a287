#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "published.pb.h"
#include "scenario/catalog_reader.h"
#include "scenario/findings.h"
#include "scenario/message_reader.h"
#include "scenario/published_row.h"

namespace moesim::scenario {
namespace {

namespace fs = std::filesystem;
using proto::PublishedRun;

struct Text {
  std::string PublishedRow::*member;
  const char* field;
};
struct Number {
  std::optional<double> PublishedRow::*member;
  const char* field;
};
constexpr std::array kTexts = {
    Text{&PublishedRow::source, "source"},   Text{&PublishedRow::date, "date"},
    Text{&PublishedRow::model, "model"},     Text{&PublishedRow::precision, "precision"},
    Text{&PublishedRow::engine, "engine"},   Text{&PublishedRow::gpu, "gpu"},
    Text{&PublishedRow::pd_mode, "pd_mode"}, Text{&PublishedRow::interconnect, "interconnect"}};
constexpr std::array kNumbers = {Number{&PublishedRow::gpus, "gpus"},
                                 Number{&PublishedRow::nodes, "nodes"},
                                 Number{&PublishedRow::tp, "tp"},
                                 Number{&PublishedRow::pp, "pp"},
                                 Number{&PublishedRow::dp, "dp"},
                                 Number{&PublishedRow::ep, "ep"},
                                 Number{&PublishedRow::input_tokens, "input_tokens"},
                                 Number{&PublishedRow::output_tokens, "output_tokens"},
                                 Number{&PublishedRow::cached_fraction, "cached_fraction"},
                                 Number{&PublishedRow::concurrency_per_gpu, "concurrency_per_gpu"}};

/// What all figures of a run share.
bool same_run(const PublishedRow& a, const PublishedRow& b) {
  return std::all_of(kTexts.begin(), kTexts.end(),
                     [&](const Text& t) { return a.*t.member == b.*t.member; }) &&
         std::all_of(kNumbers.begin(), kNumbers.end(),
                     [&](const Number& n) { return a.*n.member == b.*n.member; }) &&
         a.request_rate == b.request_rate;
}

void write_run(const PublishedRow& row, PublishedRun& run) {
  const auto& reflection = *run.GetReflection();
  const auto* type = run.GetDescriptor();
  for (const Text& t : kTexts) {
    if ((row.*t.member).empty()) continue;
    reflection.SetString(&run, type->FindFieldByName(t.field), row.*t.member);
  }
  for (const Number& n : kNumbers) {
    const std::optional<double> value = row.*n.member;
    if (value) reflection.SetDouble(&run, type->FindFieldByName(n.field), *value);
  }
  if (row.request_rate) {
    run.set_request_rate_per_s(
        std::isinf(*row.request_rate) ? "inf" : fmt::format("{}", *row.request_rate));
  }
}

class RowsReader {
 public:
  RowsReader(const std::string& path, PublishedRows& rows, std::set<std::string>& ids)
      : findings_(path), rows_(rows), ids_(ids), folder_(fs::path(path).parent_path()) {}

  void read(std::string_view text) {
    proto::PublishedRows message;
    if (!read_message(text, Syntax::Text, message, findings_)) findings_.throw_if_any();
    for (int i = 0; i < message.run_size(); ++i) {
      add(message.run(i), fmt::format("run[{}]", i));
    }
    for (const proto::DatasetLengths& d : message.dataset()) {
      rows_.datasets.push_back({.source = d.source(),
                                .model = d.model(),
                                .input_tokens = d.input_tokens(),
                                .basis = d.basis(),
                                .requests = d.requests()});
    }
    for (const proto::RecordedRun& r : message.recording()) {
      rows_.recordings.push_back({.source = r.source(),
                                  .name = r.name(),
                                  .model = r.model(),
                                  .gpu = r.gpu(),
                                  .file = (folder_ / r.file()).string()});
    }
    findings_.throw_if_any();
  }

 private:
  void add(const PublishedRun& run, const std::string& path) {
    PublishedRow shared;
    const auto& reflection = *run.GetReflection();
    const auto* type = run.GetDescriptor();
    for (const Text& t : kTexts) {
      shared.*t.member = reflection.GetString(run, type->FindFieldByName(t.field));
    }
    for (const Number& n : kNumbers) {
      const auto* field = type->FindFieldByName(n.field);
      if (!reflection.HasField(run, field)) continue;
      const double value = reflection.GetDouble(run, field);
      if (!std::isfinite(value) || value < 0) {
        findings_.error(join_path(path, n.field), "must be a number of at least 0");
      }
      shared.*n.member = value;
    }
    if (run.has_request_rate_per_s()) shared.request_rate = rate(run, path);
    for (int i = 0; i < run.figure_size(); ++i) {
      const proto::PublishedFigure& figure = run.figure(i);
      PublishedRow row = shared;
      row.id = figure.id();
      row.metric = figure.metric();
      row.unit = figure.unit();
      row.note = figure.note();
      if (figure.has_value()) row.value = figure.value();
      if (row.id.empty() || !ids_.insert(row.id).second) {
        findings_.error(fmt::format("{}.figure[{}].id", path, i),
                        row.id.empty() ? "is required" : "stands twice");
      }
      rows_.rows.push_back(std::move(row));
    }
  }

  std::optional<double> rate(const PublishedRun& run, const std::string& path) {
    const std::string& text = run.request_rate_per_s();
    if (text == "inf") return HUGE_VAL;
    double value = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc{} || end != text.data() + text.size() || !(value > 0)) {
      findings_.error(join_path(path, "request_rate_per_s"), "is a number above 0, or inf");
      return std::nullopt;
    }
    return value;
  }

  Findings findings_;
  PublishedRows& rows_;
  std::set<std::string>& ids_;
  fs::path folder_;
};

}  // namespace

PublishedRows read_published_directory(const std::string& directory) {
  std::vector<std::string> files;
  std::error_code failure;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, failure)) {
    if (entry.path().extension() == ".txtpb") files.push_back(entry.path().string());
  }
  if (files.empty()) throw IoError(directory + ": there are no published measurements (*.txtpb)");
  std::sort(files.begin(), files.end());
  PublishedRows rows;
  std::set<std::string> ids;
  for (const std::string& file : files) {
    RowsReader(file, rows, ids).read(read_file(file, kMaxInputBytes));
  }
  return rows;
}

std::string find_published_directory() { return find_data_directory() + "/validation"; }

std::string published_text(const PublishedRows& rows) {
  proto::PublishedRows message;
  const PublishedRow* last = nullptr;
  for (const PublishedRow& row : rows.rows) {
    if (last == nullptr || !same_run(*last, row)) write_run(row, *message.add_run());
    last = &row;
    proto::PublishedFigure& figure = *message.mutable_run(message.run_size() - 1)->add_figure();
    figure.set_id(row.id);
    figure.set_metric(row.metric);
    if (row.value) figure.set_value(*row.value);
    if (!row.unit.empty()) figure.set_unit(row.unit);
    if (!row.note.empty()) figure.set_note(row.note);
  }
  return "# proto-file: proto/published.proto\n# proto-message: moesim.proto.PublishedRows\n" +
         to_text(message);
}

}  // namespace moesim::scenario
