// Parses text format of a data file of ours; syntax errors become diagnoses with their places.
//
// Layer: scenario.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <string>

#include "scenario/catalog_fields.h"

namespace moesim::scenario {

/// Parses `text`; places of fields are recorded only if `places` is given (it costs time). False,
/// with diagnoses in `document`, if the text does not follow the schema.
[[nodiscard]] bool parse_text(const std::string& text, Document& document,
                              google::protobuf::TextFormat::ParseInfoTree* places,
                              google::protobuf::Message& message);

}  // namespace moesim::scenario
