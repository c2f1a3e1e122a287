// Time to read a trace of a million rows, file to vector, and to draw requests from a model.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "core/random.h"
#include "workload/generator.h"
#include "workload/trace_reader.h"

namespace moesim::workload {
namespace {

using namespace moesim::literals;

constexpr std::int64_t kRows = 1'000'000;

/// An Azure CSV of kRows rows about 0.18 s apart, as wide as the published ones; removed at exit.
class MillionRowFile {
 public:
  MillionRowFile()
      : path_((std::filesystem::temp_directory_path() / "moesim_trace_bench.csv").string()) {
    std::FILE* file = std::fopen(path_.c_str(), "wb");
    RandomStream stream(1, "bench.trace");
    fmt::print(file, "TIMESTAMP,ContextTokens,GeneratedTokens\r\n");
    std::uint64_t ticks = 0;  // of 100 ns
    for (std::int64_t i = 0; i < kRows; ++i) {
      const std::uint64_t second = ticks / 10'000'000;
      fmt::print(file, "2023-11-{:02} {:02}:{:02}:{:02}.{:07},{},{}\r\n", 16 + second / 86400,
                 second / 3600 % 24, second / 60 % 60, second % 60, ticks % 10'000'000,
                 1 + stream.below(8000), 1 + stream.below(1000));
      ticks += stream.below(3'600'000);
    }
    std::fclose(file);
  }
  ~MillionRowFile() { std::filesystem::remove(path_); }
  MillionRowFile(const MillionRowFile&) = delete;
  MillionRowFile& operator=(const MillionRowFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

const MillionRowFile& million_row_file() {
  static const MillionRowFile file;
  return file;
}

void read_azure_file(benchmark::State& state) {
  const std::string& path = million_row_file().path();
  for (auto _ : state) {
    Trace trace = read_trace_file(path, TraceFormat::AzureCsv, {});
    if (trace.requests.size() != static_cast<std::size_t>(kRows)) state.SkipWithError("rows lost");
    benchmark::DoNotOptimize(trace.requests.data());
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(read_azure_file)->Unit(benchmark::kMillisecond);

void stream_azure_file(benchmark::State& state) {
  const std::string& path = million_row_file().path();
  for (auto _ : state) {
    const auto source = open_trace_file(path, TraceFormat::AzureCsv, {});
    std::int64_t tokens = 0;
    while (const auto request = source->next()) tokens += request->input_tokens;
    benchmark::DoNotOptimize(tokens);
  }
  state.SetItemsProcessed(state.iterations() * kRows);
}
BENCHMARK(stream_azure_file)->Unit(benchmark::kMillisecond);

void generate_requests(benchmark::State& state) {
  WorkloadModel model;
  model.name = "bench";
  model.arrivals = GammaRenewal{.shape = 0.7};
  model.default_rate = 100_per_s;
  model.input = GridLength{.levels = {0.0, 0.5, 1.0}, .tokens = {1, 1000, 14000}};
  model.output = LognormalLength{.median = 200.0, .sigma = 1.0, .min = 1, .max = 4000};
  model.rank_correlation = 0.1;
  const auto source = make_generated_source(model, {.seed = 1});
  for (auto _ : state) benchmark::DoNotOptimize(source->next());
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(generate_requests);

}  // namespace
}  // namespace moesim::workload
