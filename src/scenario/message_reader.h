// Bytes of a file, and overrides of the command line, into a protobuf message.
//
// Layer: scenario.
#pragma once

#include <google/protobuf/message.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenario/findings.h"
#include "scenario/scenario_reader.h"

namespace moesim::scenario {

/// Bytes of a scenario or sweep file.
inline constexpr std::size_t kMaxInputBytes = std::size_t{16} << 20U;

/// All bytes of a regular file. Throws IoError if it cannot be read, InputError if it is longer
/// than `limit`.
[[nodiscard]] std::string read_file(const std::string& path, std::size_t limit);

/// False, with a report, if the bytes are no UTF-8 text.
[[nodiscard]] bool check_encoding(std::string_view text, Findings& findings);

/// Fills `message` with every field of `text` that is right and reports the rest. False if the text
/// could not be walked to its end: what is missing in the message may then stand in the text.
[[nodiscard]] bool read_message(std::string_view text, Syntax syntax,
                                google::protobuf::Message& message, Findings& findings);

/// Applies "a.b[1].c=value". Messages on the way are made, another choice of a oneof is dropped;
/// index = number of elements appends. A value of the form {...} or [...] is text format and
/// replaces a whole message or list.
void apply_override(const std::string& assignment, google::protobuf::Message& message,
                    Findings& findings);

/// Text format of a message, fields in order of the schema.
[[nodiscard]] std::string to_text(const google::protobuf::Message& message);

}  // namespace moesim::scenario
