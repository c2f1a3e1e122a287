#include "report/message_json.h"

#include <charconv>
#include <cmath>

#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>

#include "core/check.h"

namespace moesim::report {

std::string message_json(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  MOESIM_CHECK(status.ok(), "a message of our own cannot be printed as JSON");
  if (json.empty() || json.back() != '\n') json += '\n';
  return json;
}

double rounded(double value) {
  if (!std::isfinite(value)) return 0.0;
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value, std::chars_format::general, 6);
  double back = 0.0;
  std::from_chars(text, end.ptr, back);
  return back;
}

}  // namespace moesim::report
