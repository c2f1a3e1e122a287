#include "cli/command.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <system_error>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/program_options.hpp>

#include "core/diagnostics.h"
#include "core/text.h"

namespace moesim::cli {

namespace po = boost::program_options;

void add_common_options(po::options_description& options, CommonOptions& values) {
  auto add = options.add_options();
  add("set", po::value(&values.overrides)->value_name("A.B.C=VALUE")->composing(),
      "override a field of the file; repeatable");
  add("seed", po::value<std::string>()->value_name("N"), "same as --set simulation.seed=N");
  add("format", po::value(&values.format)->value_name("FORMAT")->default_value("table"),
      "what goes to stdout: table, json or csv");
  add("output-dir,o", po::value(&values.output_directory)->value_name("DIR"),
      "write the result files there");
  add("overwrite", po::bool_switch(&values.overwrite), "replace result files that exist");
  add("quiet,q", po::bool_switch(&values.quiet), "no progress and no timing on stderr");
  add("help,h", "this text");
}

std::optional<std::uint64_t> seed_of(const po::variables_map& found) {
  if (found.count("seed") == 0) return std::nullopt;
  const auto& text = found["seed"].as<std::string>();
  std::uint64_t seed = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (problem == std::errc{} && end == text.data() + text.size()) return seed;
  throw InputError(
      Diagnostic{.field = "--seed",
                 .message = fmt::format("expected a whole number, got '{}'", text),
                 .hint = fmt::format("give 0..{}", std::numeric_limits<std::uint64_t>::max())});
}

void add_jobs_option(po::options_description& options, int& jobs) {
  options.add_options()("jobs,j", po::value(&jobs)->value_name("N")->default_value(0),
                        "simulations at the same time; 0: one per core");
}

void check_jobs(int jobs) {
  constexpr int kMost = 1024;
  if (jobs >= 0 && jobs <= kMost) return;
  throw InputError(Diagnostic{.field = "--jobs",
                              .message = fmt::format("must lie within 0..{}, got {}", kMost, jobs),
                              .hint = "0 means: one per core"});
}

bool parse_options(const Arguments& arguments, const po::options_description& options,
                   const po::positional_options_description& places, po::variables_map& found) {
  try {
    const auto style =
        po::command_line_style::default_style & ~po::command_line_style::allow_guessing;
    po::store(
        po::command_line_parser(arguments).options(options).positional(places).style(style).run(),
        found);
    if (found.count("help") != 0) return false;
    po::notify(found);
  } catch (const po::unknown_option& e) {
    std::vector<std::string> names;
    for (const auto& option : options.options()) names.push_back("--" + option->long_name());
    const std::string near = nearest_name(e.get_option_name(), names);
    throw InputError(
        Diagnostic{.field = e.get_option_name(),
                   .message = "there is no such option",
                   .hint = near.empty() ? "see --help" : fmt::format("did you mean {}?", near)});
  } catch (const po::error& e) {
    throw InputError(Diagnostic{.message = e.what(), .hint = "see --help"});
  }
  if (found.count("output-dir") != 0 && found["output-dir"].as<std::string>().empty()) {
    throw InputError(Diagnostic{.field = "--output-dir",
                                .message = "is empty",
                                .hint = "name a folder, or leave the option out"});
  }
  return true;
}

void check_format(const std::string& format, const std::vector<std::string>& known) {
  if (std::find(known.begin(), known.end(), format) != known.end()) return;
  throw InputError(Diagnostic{.field = "--format",
                              .message = fmt::format("unknown format '{}'", format),
                              .hint = fmt::format("use {}", fmt::join(known, ", "))});
}

}  // namespace moesim::cli
