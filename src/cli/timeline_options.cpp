#include "cli/timeline_options.h"

#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <system_error>
#include <variant>

#include <fmt/format.h>
#include <boost/program_options.hpp>

#include "core/diagnostics.h"
#include "core/quantity.h"

namespace moesim::cli {
namespace {

namespace po = boost::program_options;

constexpr std::int64_t kMostIterations = 1000;

std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (problem == std::errc{} && end == text.data() + text.size()) return number;
  return std::nullopt;
}

void set_start(const std::string& text, serving::TimelineSettings& settings) {
  const auto refuse = [&](std::string message, std::string hint) {
    return InputError(Diagnostic{
        .field = "--trace-from", .message = std::move(message), .hint = std::move(hint)});
  };
  const char* const hint = "give a time (\"12.5 s\") or the number of an iteration, from 1";
  if (const auto number = whole_number(text)) {
    if (*number < 1) throw refuse(fmt::format("there is no iteration {}", *number), hint);
    settings.from_iteration = *number;
    return;
  }
  const auto time = parse_seconds(text);
  if (const auto* error = std::get_if<QuantityError>(&time)) throw refuse(error->message, hint);
  const Seconds from = std::get<Seconds>(time);
  constexpr Seconds kClock = Seconds::from_base(100.0 * 86400.0);
  if (from < Seconds{} || from > kClock) {
    throw refuse(fmt::format("'{}' is not on the clock of a run", text),
                 "give 0 s up to 100 d of simulated time");
  }
  settings.from = SimTime::from(from);
}

}  // namespace

void add_timeline_options(po::options_description& options, TimelineOptions& values) {
  auto add = options.add_options();
  add("trace", po::value(&values.file)->value_name("FILE"),
      "write a timeline of a few iterations: ranks, links, who waits for whom; open it with "
      "Perfetto (ui.perfetto.dev) or chrome://tracing");
  add("trace-iterations", po::value(&values.iterations)->value_name("N")->default_value("1"),
      "iterations of each instance in the timeline");
  add("trace-from", po::value(&values.from)->value_name("TIME|N"),
      "start the timeline with the first iteration from a simulated time on (\"12.5 s\"), or with "
      "iteration N; default: the first after the warm-up in which tokens are decoded");
}

serving::TimelineSettings timeline_settings(const TimelineOptions& values,
                                            const po::variables_map& found) {
  if (found.count("trace") == 0) {
    for (const char* option : {"trace-iterations", "trace-from"}) {
      if (found.count(option) == 0 || found[option].defaulted()) continue;
      throw InputError(Diagnostic{.field = fmt::format("--{}", option),
                                  .message = "there is no timeline to draw",
                                  .hint = "name its file with --trace FILE"});
    }
    return {};
  }
  if (values.file.empty()) {
    throw InputError(Diagnostic{
        .field = "--trace", .message = "is empty", .hint = "name a file, or leave the option out"});
  }
  serving::TimelineSettings settings;
  const auto iterations = whole_number(values.iterations);
  if (!iterations || *iterations < 1 || *iterations > kMostIterations) {
    throw InputError(
        Diagnostic{.field = "--trace-iterations",
                   .message = fmt::format("expected a whole number, got '{}'", values.iterations),
                   .hint = fmt::format("give 1..{}", kMostIterations)});
  }
  settings.iterations = *iterations;
  if (found.count("trace-from") != 0) set_start(values.from, settings);
  return settings;
}

}  // namespace moesim::cli
