// Overheads of engines: messages in, checked entries out, and back into text.
#include "scenario/catalog_overheads.h"

#include <google/protobuf/text_format.h>

#include "catalog.pb.h"
#include "core/check.h"
#include "core/text.h"
#include "scenario/catalog_convert.h"

namespace moesim::scenario {
namespace {

constexpr std::int64_t kMostRows = std::int64_t{1} << 40;

catalog::ErrorBand convert_error(const MessageScope& scope) {
  constexpr double kMostError = 1e6;
  return {.median = scope.real("median", 0.0, 0.0, kMostError, LowEnd::Included),
          .p90 = scope.real("p90", 0.0, 0.0, kMostError, LowEnd::Included),
          .low = scope.real("low", 1.0, 0.0, kMostError, LowEnd::Included),
          .high = scope.real("high", 1.0, 0.0, kMostError, LowEnd::Included)};
}

double digits(double value) { return std::stod(format_number(value)); }

void write_error(const catalog::ErrorBand& band, proto::OverheadError& out) {
  out.set_median(digits(band.median));
  out.set_p90(digits(band.p90));
  out.set_low(digits(band.low));
  out.set_high(digits(band.high));
}

}  // namespace

catalog::EngineOverhead convert_overhead(const proto::EngineOverhead& message,
                                         const MessageScope& scope) {
  const auto time = [&](const char* field) {
    return scope.quantity<Seconds>(field, parse_seconds, kLatencyRange);
  };
  constexpr double kLeastStretch = 0.1;
  constexpr double kMostStretch = 10.0;
  catalog::EngineOverhead overhead{
      .engine = scope.required_text("engine"),
      .architecture = scope.text("architecture"),
      .stretch = scope.real("stretch", 1.0, kLeastStretch, kMostStretch, LowEnd::Included),
      .iteration = time("iteration"),
      .per_layer = time("per_layer"),
      .per_sequence = time("per_sequence"),
      .prompt_layer = time("prompt_layer"),
      .per_request = time("per_request"),
      .rows = scope.number("rows", 0, 0, kMostRows),
      .deployments = scope.number("deployments", 0, 0, kMostRows),
      .source = scope.required_text("source")};
  if (message.has_ttft()) {
    overhead.ttft = convert_error(MessageScope(scope, message.ttft(), "ttft"));
  }
  if (message.has_tpot()) {
    overhead.tpot = convert_error(MessageScope(scope, message.tpot(), "tpot"));
  }
  if (message.has_throughput()) {
    overhead.throughput = convert_error(MessageScope(scope, message.throughput(), "throughput"));
  }
  return overhead;
}

std::string overheads_text(std::span<const catalog::EngineOverhead> overheads) {
  proto::CatalogFile file;
  for (const catalog::EngineOverhead& overhead : overheads) {
    proto::EngineOverhead& out = *file.add_engine_overhead();
    out.set_engine(overhead.engine);
    if (!overhead.architecture.empty()) out.set_architecture(overhead.architecture);
    out.set_stretch(digits(overhead.stretch));
    if (overhead.iteration > Seconds{}) out.set_iteration(format_seconds(overhead.iteration));
    if (overhead.per_layer > Seconds{}) out.set_per_layer(format_seconds(overhead.per_layer));
    if (overhead.per_sequence > Seconds{})
      out.set_per_sequence(format_seconds(overhead.per_sequence));
    if (overhead.prompt_layer > Seconds{})
      out.set_prompt_layer(format_seconds(overhead.prompt_layer));
    if (overhead.per_request > Seconds{}) out.set_per_request(format_seconds(overhead.per_request));
    out.set_rows(overhead.rows);
    out.set_deployments(overhead.deployments);
    write_error(overhead.ttft, *out.mutable_ttft());
    write_error(overhead.tpot, *out.mutable_tpot());
    write_error(overhead.throughput, *out.mutable_throughput());
    out.set_source(overhead.source);
  }
  google::protobuf::TextFormat::Printer printer;
  printer.SetUseUtf8StringEscaping(true);
  std::string text;
  MOESIM_CHECK(printer.PrintToString(file, &text), "overheads cannot be printed");
  return text;
}

}  // namespace moesim::scenario
