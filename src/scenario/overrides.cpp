// --set a.b[1].c=value: finds the field by reflection and sets it with the checks of the file.
#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <optional>

#include "scenario/message_reader.h"
#include "scenario/outline.h"

namespace moesim::scenario {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

struct Step {
  std::string name;
  std::optional<int> index;
};

/// "a.b[2].c" in steps; empty if it has not this form.
std::vector<Step> split_path(std::string_view path) {
  std::vector<Step> steps;
  while (true) {
    const std::size_t dot = path.find('.');
    const std::string_view part = path.substr(0, dot);
    const std::size_t bracket = part.find('[');
    Step step{std::string(part.substr(0, bracket)), std::nullopt};
    if (step.name.empty()) return {};
    if (bracket != std::string_view::npos) {
      if (part.back() != ']') return {};
      const std::string_view digits = part.substr(bracket + 1, part.size() - bracket - 2);
      int index = 0;
      const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
      if (digits.empty() || code != std::errc() || end != digits.data() + digits.size() ||
          index < 0) {
        return {};
      }
      step.index = index;
    }
    steps.push_back(std::move(step));
    if (dot == std::string_view::npos) return steps;
    path.remove_prefix(dot + 1);
  }
}

/// The value inside one pair of double quotes around it all, if there is one: "a" means a.
std::string unquoted(const FieldDescriptor& field, const std::string& value) {
  const bool pair = field.cpp_type() == FieldDescriptor::CPPTYPE_STRING && value.size() >= 2 &&
                    value.front() == '"' && value.find('"', 1) == value.size() - 1;
  return pair ? value.substr(1, value.size() - 2) : value;
}

/// The text-format literal of a value given without quotes.
std::string literal(const FieldDescriptor& field, const std::string& value) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_STRING) return value;
  std::string text = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') text += '\\';
    if (byte < 0x20 || byte == 0x7f) {
      text += fmt::format("\\{:03o}", static_cast<unsigned>(byte));
    } else {
      text += c;
    }
  }
  return text + '"';
}

/// One --set on its way through the message.
class Override {
 public:
  Override(const std::string& assignment, Findings& findings)
      : option_("--set " + assignment), findings_(findings) {}

  void apply(const std::string& path, const std::string& value, Message& root) {
    const std::vector<Step> steps = split_path(path);
    if (steps.empty()) {
      error(path, "is no path of a field", "write names joined by dots, as a.b.c or a.b[0].c");
      return;
    }
    Message* message = &root;
    clears_ = value.empty();
    std::string at;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      const FieldDescriptor* field = find(*message, steps[i], at);
      if (field == nullptr) return;
      at = join_path(at, steps[i].name);
      if (steps[i].index) at += fmt::format("[{}]", *steps[i].index);
      if (i + 1 == steps.size()) {
        set(*message, *field, steps[i].index, at, value);
        return;
      }
      if (!is_message(*field)) {
        error(at, fmt::format("holds a value and has no field \"{}\"", steps[i + 1].name));
        return;
      }
      message = descend(*message, *field, steps[i].index, at);
      if (message == nullptr) return;
    }
  }

 private:
  void error(const std::string& path, std::string message, std::string hint = "") {
    findings_.override_error(option_, path, std::move(message), std::move(hint));
  }

  const FieldDescriptor* find(const Message& message, const Step& step, const std::string& parent) {
    const Descriptor& schema = *message.GetDescriptor();
    const FieldDescriptor* field = schema.FindFieldByName(step.name);
    const std::string at = join_path(parent, step.name);
    if (field == nullptr) {
      error(at, "is no field of the schema", unknown_field_hint(step.name, schema));
    } else if (step.index && !field->is_repeated()) {
      error(at, "is no list", fmt::format("leave out [{}]", *step.index));
      return nullptr;
    }
    return field;
  }

  /// False, with a report, unless `index` is an element or the one behind the last.
  bool index_fits(const Message& message, const FieldDescriptor& field, int index,
                  const std::string& at) {
    const int size = message.GetReflection()->FieldSize(message, &field);
    if (index <= size) return true;
    error(at, fmt::format("there are {} elements", size),
          fmt::format("use an index of 0..{}; {} appends", size, size));
    return false;
  }

  Message* descend(Message& message, const FieldDescriptor& field, std::optional<int> index,
                   const std::string& at) {
    const Reflection& reflection = *message.GetReflection();
    if (!field.is_repeated()) {
      if (clears_ && !reflection.HasField(message, &field)) {
        // Nothing is there to be taken away; the names below are still checked.
        absent_.reset(reflection.GetMessage(message, &field).New());
        return absent_.get();
      }
      return reflection.MutableMessage(&message, &field);
    }
    if (!index) {
      error(at, "is a list", "say which element, as in [0]");
      return nullptr;
    }
    if (!index_fits(message, field, *index, at)) return nullptr;
    if (*index == reflection.FieldSize(message, &field)) {
      return reflection.AddMessage(&message, &field);
    }
    return reflection.MutableRepeatedMessage(&message, &field, *index);
  }

  /// "a.b=" takes the field away, as if it had not been written.
  void clear(Message& message, const FieldDescriptor& field, std::optional<int> index,
             const std::string& at) {
    if (index) {
      error(at, "an element of a list cannot be left out", "leave out the index to set the list");
      return;
    }
    findings_.set_override(at, option_);
    message.GetReflection()->ClearField(&message, &field);
  }

  void set(Message& message, const FieldDescriptor& field, std::optional<int> index,
           const std::string& at, const std::string& given) {
    if (clears_) {
      clear(message, field, index, at);
      return;
    }
    const std::string value = unquoted(field, given);
    const Reflection& reflection = *message.GetReflection();
    const bool whole_list = field.is_repeated() && !index;
    std::string text;
    if (is_message(field) || whole_list) {
      const bool form = value.starts_with('{') || (whole_list && value.starts_with('['));
      if (!form) {
        error(at,
              fmt::format("takes {}, got {}", whole_list ? "a list" : "a block of fields",
                          shown(value)),
              whole_list ? "write [a, b], or say which element, as in [0]"
                         : "write {...}, or name one of its fields: " +
                               alternatives(field_names(*field.message_type())));
        return;
      }
      text = value;
    } else {
      ValueProblem problem = scalar_problem(field, value);
      if (!problem.message.empty()) {
        error(at, std::move(problem.message), std::move(problem.hint));
        return;
      }
      text = literal(field, value);
    }
    if (index && !index_fits(message, field, *index, at)) return;
    const std::unique_ptr<Message> piece(message.New());
    Findings inner(option_);
    const std::string line = field.name() + ": " + text;
    if (!read_message(line, Syntax::Text, *piece, inner) || inner.any()) {
      pass_on(inner, at);
      return;
    }
    findings_.set_override(at, option_);
    if (!index) {
      reflection.ClearField(&message, &field);
      message.MergeFrom(*piece);
      return;
    }
    if (reflection.FieldSize(*piece, &field) != 1) {
      error(at, "takes one element", "leave out the index to replace the list");
      return;
    }
    message.MergeFrom(*piece);
    const int last = reflection.FieldSize(message, &field) - 1;
    if (*index != last) {
      reflection.SwapElements(&message, &field, *index, last);
      reflection.RemoveLast(&message, &field);
    }
  }

  /// Places inside the value of an option tell nothing: only the messages are kept.
  void pass_on(const Findings& inner, const std::string& at) {
    try {
      inner.throw_if_any();
    } catch (const InputError& found) {
      for (const Diagnostic& diagnostic : found.diagnostics()) {
        const std::size_t dot = diagnostic.field.find('.');
        const bool below = dot != std::string::npos;
        error(below ? join_path(at, diagnostic.field.substr(dot + 1)) : at, diagnostic.message,
              diagnostic.hint);
      }
    }
  }

  std::string option_;
  Findings& findings_;
  bool clears_ = false;
  std::unique_ptr<Message> absent_;
};

}  // namespace

void apply_override(const std::string& assignment, Message& message, Findings& findings) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos) {
    findings.override_error("--set " + assignment, "", "has no '='", "write --set cluster.nodes=4");
    return;
  }
  Override(assignment, findings)
      .apply(assignment.substr(0, equals), assignment.substr(equals + 1), message);
}

}  // namespace moesim::scenario
