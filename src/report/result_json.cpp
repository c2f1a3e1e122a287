#include "report/result_json.h"

#include <string>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "report/message_json.h"
#include "report/result_message.h"

namespace moesim::report {

std::string price_source(const cost::Pricing& pricing) {
  std::string text = pricing.provider;
  for (const std::string& part : {pricing.term, pricing.date}) {
    if (!part.empty()) text += ", " + part;
  }
  return text;
}

std::string result_json(const sweep::ScenarioResult& result) {
  return message_json(result_message(result));
}

std::string result_binary(const sweep::ScenarioResult& result) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  (void)result_message(result).SerializeToCodedStream(&coded);
  coded.Trim();
  return bytes;
}

}  // namespace moesim::report
