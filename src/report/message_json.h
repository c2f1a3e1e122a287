// One way to print a Protocol Buffers message as JSON, for every document moesim writes.
//
// Layer: report.
#pragma once

#include <string>

namespace google::protobuf {
class Message;
}

namespace moesim::report {

/// Field names as in the .proto, fields that are zero included, indented, line break at the end.
[[nodiscard]] std::string message_json(const google::protobuf::Message& message);

/// `value` to six significant digits, as reports show numbers.
[[nodiscard]] double rounded(double value);

}  // namespace moesim::report
