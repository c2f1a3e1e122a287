// The options of `moesim place`, turned into overrides of a placement file.
//
// Layer: cli.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace boost::program_options {
class options_description;
class variables_map;
}  // namespace boost::program_options

namespace moesim::cli {

/// What the verb does with the task.
enum class PlaceMode { Place, Front, GoNoGo };

struct PlaceOptions {
  CommonOptions common;
  std::vector<std::string> instances;
  std::vector<double> weights;
  std::string evaluated;  ///< A placement file to be judged.
  std::string current;
  std::vector<std::string> exports;
  bool front = false;
  bool go_no_go = false;
  [[nodiscard]] PlaceMode mode() const {
    if (go_no_go) return PlaceMode::GoNoGo;
    return front ? PlaceMode::Front : PlaceMode::Place;
  }
};

void add_place_options(boost::program_options::options_description& options, PlaceOptions& values);

/// The options as assignments to fields of the file, those of --set last. Throws InputError.
[[nodiscard]] std::vector<std::string> place_overrides(
    const boost::program_options::variables_map& found, const PlaceOptions& values);

}  // namespace moesim::cli
