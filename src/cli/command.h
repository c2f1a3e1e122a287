// What the verbs of the command line share: exit codes, common options, reading them.
//
// Layer: cli.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace boost::program_options {
class options_description;
class variables_map;
class positional_options_description;
}  // namespace boost::program_options

namespace moesim::cli {

enum ExitCode {
  kDone = 0,
  kNothingFeasible = 1,
  kWrongInput = 2,
  kDoesNotFit = 3,
  kInterrupted = 4
};

using Arguments = std::vector<std::string>;

/// A verb: arguments after its name in, exit code out. Throws InputError and IoError.
using Verb = int (*)(const Arguments& arguments, std::ostream& out);

/// --set, --seed, --format, -o, --overwrite, --quiet: the options most verbs take.
struct CommonOptions {
  std::vector<std::string> overrides;
  std::string format = "table";
  std::string output_directory;
  bool overwrite = false;
  bool quiet = false;
};
void add_common_options(boost::program_options::options_description& options,
                        CommonOptions& values);

/// The seed of --seed, if given. Throws InputError unless it is a whole number of 64 bits.
[[nodiscard]] std::optional<std::uint64_t> seed_of(
    const boost::program_options::variables_map& found);

/// --jobs N of verbs that run several simulations at once.
void add_jobs_option(boost::program_options::options_description& options, int& jobs);
/// Throws InputError unless 0 (all cores) <= jobs <= 1024.
void check_jobs(int jobs);

/// Parses; a mistake becomes an InputError that names the option and suggests the nearest.
/// Returns false if --help was asked for.
[[nodiscard]] bool parse_options(
    const Arguments& arguments, const boost::program_options::options_description& options,
    const boost::program_options::positional_options_description& places,
    boost::program_options::variables_map& found);

/// Throws InputError unless `format` is one of `known`.
void check_format(const std::string& format, const std::vector<std::string>& known);

}  // namespace moesim::cli
