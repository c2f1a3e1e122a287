// Checks a text against the schema field by field, so that one mistake does not hide the next.
//
// Protobuf's own parsers stop at the first mistake. The outline walks the whole text, reports every
// unknown field, wrong type, unknown enum value and field given twice, remembers where each field
// stands, and hands back the text without the fields that are wrong: that part protobuf then
// parses. A mistake of the form (a brace too few, a string without end) ends the walk.
// Places: of a message its name, of a scalar its value. O(bytes); recursion only as deep as the
//         schema.
// Layer: scenario.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>

#include "scenario/findings.h"
#include "scenario/scenario_reader.h"

namespace moesim::scenario {

struct Outline {
  std::string cleaned;   ///< The text with the wrong fields left out.
  bool complete = true;  ///< False if the walk ended early.
};

/// `root`: path of the message inside the input, "" for a whole file.
[[nodiscard]] Outline outline(std::string_view text, Syntax syntax,
                              const google::protobuf::Descriptor& schema, const std::string& root,
                              Findings& findings);

[[nodiscard]] inline bool is_message(const google::protobuf::FieldDescriptor& field) {
  return field.cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE;
}

/// Names of the fields of a message, in order of the schema.
[[nodiscard]] std::vector<std::string> field_names(const google::protobuf::Descriptor& schema);

/// Names of the values of an enum, in order of the schema.
[[nodiscard]] std::vector<std::string> value_names(const google::protobuf::EnumDescriptor& schema);

/// "RAIL, LEAF_SPINE or NONE".
[[nodiscard]] std::string alternatives(const std::vector<std::string>& names);

/// What a message says about a name that the schema does not have: the nearest one, or all.
[[nodiscard]] std::string unknown_field_hint(std::string_view name,
                                             const google::protobuf::Descriptor& schema);

/// Why `text`, a token or a value of --set without quotes, is no value of the scalar or enum
/// `field`; "" if it is one. Strings are not looked at.
struct ValueProblem {
  std::string message;
  std::string hint;
};
[[nodiscard]] ValueProblem scalar_problem(const google::protobuf::FieldDescriptor& field,
                                          std::string_view text);

}  // namespace moesim::scenario
