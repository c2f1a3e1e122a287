// Refuses what cannot be read to an end: devices, pipes and folders.
//
// Layer: core.
#pragma once

#include <string>

namespace moesim {

/// Throws IoError if `path` names something that exists and is no regular file; links are followed.
/// A path that names nothing passes: whoever opens it says why it cannot be opened.
void check_regular_file(const std::string& path);

}  // namespace moesim
