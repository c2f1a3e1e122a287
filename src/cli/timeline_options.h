// --trace, --trace-iterations, --trace-from: which iterations `simulate` draws, and into what file.
//
// Layer: cli.
#pragma once

#include <string>

#include "serving/deployment.h"

namespace boost::program_options {
class options_description;
class variables_map;
}  // namespace boost::program_options

namespace moesim::cli {

struct TimelineOptions {
  std::string file;  ///< Empty: no timeline.
  std::string iterations;
  std::string from;
};

void add_timeline_options(boost::program_options::options_description& options,
                          TimelineOptions& values);
/// Throws InputError for what is no number of iterations, time or number of an iteration, and for
/// such an option without --trace.
[[nodiscard]] serving::TimelineSettings timeline_settings(
    const TimelineOptions& values, const boost::program_options::variables_map& found);

}  // namespace moesim::cli
