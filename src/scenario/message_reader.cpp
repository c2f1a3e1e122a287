#include "scenario/message_reader.h"

#include <fmt/format.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/json_util.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "core/regular_file.h"
#include "scenario/outline.h"

namespace moesim::scenario {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::TextFormat;

/// Offset of the first byte that is not UTF-8, or npos. Overlong forms and surrogates are refused.
std::size_t first_bad_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned lead = byte(i);
    const std::size_t length = lead < 0x80                    ? 1
                               : lead >= 0xc2 && lead <= 0xdf ? 2
                               : lead >= 0xe0 && lead <= 0xef ? 3
                               : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                              : 0;
    if (length == 0 || i + length > text.size()) return i;
    for (std::size_t j = 1; j < length; ++j) {
      if ((byte(i + j) & 0xc0U) != 0x80U) return i;
    }
    if (length >= 3) {
      const unsigned second = byte(i + 1);
      if ((lead == 0xe0 && second < 0xa0) || (lead == 0xed && second > 0x9f) ||
          (lead == 0xf0 && second < 0x90) || (lead == 0xf4 && second > 0x8f)) {
        return i;
      }
    }
    i += length;
  }
  return std::string_view::npos;
}

Place place_of_offset(std::string_view text, std::size_t offset) {
  Place place;
  for (const char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++place.line;
      place.column = 1;
    } else if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80U) {
      ++place.column;
    }
  }
  return place;
}

/// Passes protobuf's own complaints on; the outline has found nearly all of them before.
class ForwardErrors : public google::protobuf::io::ErrorCollector {
 public:
  explicit ForwardErrors(Findings& findings) : findings_(findings) {}
  void AddError(int line, int column, const std::string& message) override {
    findings_.error_at({line + 1, column + 1}, "", message);
  }
  void AddWarning(int, int, const std::string&) override {}

 private:
  Findings& findings_;
};

/// Escapes may still make texts that are no UTF-8, or hold control characters.
void check_strings(Message& message, const std::string& path, Findings& findings) {
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      std::string at = join_path(path, field->name());
      if (field->is_repeated()) at += fmt::format("[{}]", i);
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        check_strings(field->is_repeated() ? *reflection.MutableRepeatedMessage(&message, field, i)
                                           : *reflection.MutableMessage(&message, field),
                      at, findings);
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        const std::string text = field->is_repeated()
                                     ? reflection.GetRepeatedString(message, field, i)
                                     : reflection.GetString(message, field);
        if (first_bad_utf8(text) == std::string::npos && text.find('\0') == std::string::npos) {
          continue;
        }
        findings.error(at, "holds bytes that are no UTF-8 text");
        if (field->is_repeated()) {
          reflection.SetRepeatedString(&message, field, i, "");
        } else {
          reflection.ClearField(&message, field);
        }
      }
    }
  }
}

bool parse_text(const std::string& text, Message& message, Findings& findings) {
  ForwardErrors errors(findings);
  TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.SetRecursionLimit(32);
  return parser.ParseFromString(text, &message);
}

bool parse_json(const std::string& text, Message& message, Findings& findings) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // reported by the outline
  const auto status = google::protobuf::util::JsonStringToMessage(text, &message, options);
  if (status.ok()) return true;
  findings.error_at({1, 1}, "", std::string(status.message()));
  return false;
}

}  // namespace

bool check_encoding(std::string_view text, Findings& findings) {
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff")) {
    findings.error_at({1, 1}, "", "the file is UTF-16", "save it as UTF-8");
    return false;
  }
  const std::size_t bad = std::min(first_bad_utf8(text), text.find('\0'));
  if (bad == std::string_view::npos) return true;
  findings.error_at(place_of_offset(text, bad), "",
                    fmt::format("the byte 0x{:02x} is not UTF-8 text",
                                static_cast<unsigned>(static_cast<unsigned char>(text[bad]))),
                    "save the file as UTF-8; is it compressed or binary?");
  return false;
}

std::string read_file(const std::string& path, std::size_t limit) {
  check_regular_file(path);
  std::ifstream file(path, std::ios::binary);
  if (!file) throw IoError(fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
  std::string text;
  std::string piece(std::size_t{1} << 16U, '\0');
  while (file && text.size() <= limit) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    text.append(piece, 0, static_cast<std::size_t>(file.gcount()));
  }
  if (file.bad()) throw IoError(fmt::format("{}: cannot be read", path));
  if (text.size() > limit) {
    throw InputError({path, 0, 0, "", fmt::format("is larger than {} MiB", limit >> 20U),
                      "large tables belong into files of their own"});
  }
  return text;
}

bool read_message(std::string_view text, Syntax syntax, Message& message, Findings& findings) {
  if (text.size() > kMaxInputBytes) {
    findings.error_at({1, 1}, "",
                      fmt::format("the text is larger than {} MiB", kMaxInputBytes >> 20U));
    return false;
  }
  if (!check_encoding(text, findings)) return false;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    findings.error_at({1, 1}, "", "the file is empty");
    return false;
  }
  const Outline sketch = outline(text, syntax, *message.GetDescriptor(), "", findings);
  if (!sketch.complete) return false;
  const bool parsed = syntax == Syntax::Json ? parse_json(sketch.cleaned, message, findings)
                                             : parse_text(sketch.cleaned, message, findings);
  if (!parsed) return false;
  check_strings(message, "", findings);
  return true;
}

std::string to_text(const Message& message) {
  TextFormat::Printer printer;
  printer.SetUseUtf8StringEscaping(true);
  std::string text;
  printer.PrintToString(message, &text);
  return text;
}

}  // namespace moesim::scenario
