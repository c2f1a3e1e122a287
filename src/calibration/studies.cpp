// The list of all studies; a new operation adds its line here.
#include "calibration/study.h"

namespace moesim::calibration {

std::vector<std::unique_ptr<Study>> all_studies() {
  std::vector<std::unique_ptr<Study>> all;
  return all;
}

}  // namespace moesim::calibration
