#include "scenario/outline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "scenario/text_lexer.h"

namespace moesim::scenario {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

/// Levels of blocks in a value that is skipped.
constexpr std::size_t kMaxDepth = 32;

/// Part of the text that protobuf shall not see.
struct Cut {
  std::size_t begin;
  std::size_t end;
};

class Walker {
 public:
  Walker(std::string_view text, Syntax syntax, Findings& findings)
      : text_(text), json_(syntax == Syntax::Json), lexer_(text, syntax), findings_(findings) {}

  Outline walk(const Descriptor& schema, const std::string& root) {
    if (json_) {
      if (expect('{')) walk_message(schema, root, '}');
    } else {
      walk_message(schema, root, '\0');
    }
    if (!broken_ && lexer_.current().kind != TokenKind::End) {
      fail("", fmt::format("expected the end of the file, got {}", shown(lexer_.text())));
    }
    return {cleaned(), !broken_};
  }

 private:
  struct Seen {
    Place place;
    std::string name;
  };

  void report(Place place, const std::string& path, std::string message, std::string hint = "") {
    findings_.error_at(place, path, std::move(message), std::move(hint));
  }

  /// A mistake after which nothing more can be understood.
  void fail(const std::string& path, std::string message, std::string hint = "") {
    if (broken_) return;
    broken_ = true;
    if (lexer_.current().kind == TokenKind::Bad) {
      message = lexer_.problem();
      hint.clear();
    }
    report(lexer_.current().place, path, std::move(message), std::move(hint));
  }

  bool expect(char symbol) {
    if (lexer_.at_symbol(symbol)) {
      lexer_.advance();
      return true;
    }
    const bool end = lexer_.current().kind == TokenKind::End;
    fail("", end ? fmt::format("the file ends where '{}' is expected", symbol)
                 : fmt::format("expected '{}', got {}", symbol, shown(lexer_.text())));
    return false;
  }

  /// Fields up to `closer`, which is consumed; '\0' is the end of the text.
  void walk_message(const Descriptor& schema, const std::string& path, char closer,
                    Place opened = {}) {
    std::map<std::string, Seen> seen;  // by name of field or oneof
    std::map<std::string, int> counts;
    while (!broken_) {
      const Token& token = lexer_.current();
      if (closer != '\0' && lexer_.at_symbol(closer)) {
        lexer_.advance();
        return;
      }
      if (token.kind == TokenKind::End) {
        if (closer != '\0') {
          fail(path,
               fmt::format("the file ends inside the block that begins on line {}", opened.line),
               "is it truncated? close the block with '}'");
        }
        return;
      }
      const bool name = token.kind == (json_ ? TokenKind::String : TokenKind::Identifier);
      if (!name) {
        fail(path, fmt::format("expected the name of a field, got {}", shown(lexer_.text())),
             lexer_.at_symbol('}') ? "this '}' closes no block" : "");
        return;
      }
      walk_field(schema, path, seen, counts);
      if (broken_) return;
      if (lexer_.at_symbol(',') || (!json_ && lexer_.at_symbol(';'))) {
        lexer_.advance();
        if (json_ && lexer_.at_symbol('}')) {
          fail(path, "a comma stands before '}'", "remove the comma");
        }
      } else if (json_ && !lexer_.at_symbol('}')) {
        expect(',');
      }
    }
  }

  void walk_field(const Descriptor& schema, const std::string& path,
                  std::map<std::string, Seen>& seen, std::map<std::string, int>& counts) {
    const Token name_token = lexer_.current();
    std::string name(lexer_.text());
    if (json_) name = name.substr(1, name.size() - 2);
    lexer_.advance();
    const FieldDescriptor* field = schema.FindFieldByName(name);
    if (field == nullptr) {
      report(name_token.place, join_path(path, name), "is no field of the schema",
             unknown_field_hint(name, schema));
    }
    if (json_) {
      if (!expect(':')) return;
      if (lexer_.text() == "null") {  // JSON for "absent"
        lexer_.advance();
        return;
      }
    } else if (lexer_.at_symbol(':')) {
      lexer_.advance();
    } else if (!lexer_.at_symbol('{') && !lexer_.at_symbol('<')) {
      if (field != nullptr) {
        fail(join_path(path, name), fmt::format("expected ':' after the name, got {}", found()));
      } else {
        fail("", fmt::format("expected a field, got {}", shown(name)));
      }
      return;
    }
    const std::size_t cut_from = json_ ? lexer_.current().begin : name_token.begin;
    bool good = field != nullptr && once(*field, path, name_token.place, seen);
    if (field == nullptr) {
      skip_value();
    } else {
      good = walk_values(*field, join_path(path, name), name_token.place, counts) && good;
    }
    if (!good && !broken_) cuts_.push_back({cut_from, lexer_.previous_end()});
  }

  /// False, with a report, if a field stands twice or beside another choice of its oneof.
  bool once(const FieldDescriptor& field, const std::string& path, Place place,
            std::map<std::string, Seen>& seen) {
    if (field.is_repeated()) return true;
    const auto* choice = field.real_containing_oneof();
    const std::string key = choice != nullptr ? "oneof " + choice->name() : field.name();
    const auto [it, first] = seen.insert({key, {place, field.name()}});
    if (first) return true;
    if (it->second.name == field.name()) {
      report(place, join_path(path, field.name()),
             fmt::format("is given twice, first on line {}", it->second.place.line),
             "keep one of them");
    } else {
      report(place, join_path(path, field.name()),
             fmt::format("excludes {}, given on line {}", it->second.name, it->second.place.line),
             "keep one of them");
    }
    return false;
  }

  /// What stands where a value was expected.
  std::string found() const {
    if (lexer_.current().kind == TokenKind::End) return "the end of the file";
    std::string_view text = lexer_.text();
    if (lexer_.current().kind == TokenKind::String) text = text.substr(1, text.size() - 2);
    return shown(text);
  }

  /// One value, or a list of a repeated field. False if any of it must be cut.
  bool walk_values(const FieldDescriptor& field, const std::string& path, Place name_place,
                   std::map<std::string, int>& counts) {
    if (!field.is_repeated()) {
      if (lexer_.at_symbol('[')) {
        report(lexer_.current().place, path, "takes one value, got a list");
        skip_value();
        return false;
      }
      return walk_value(field, path, name_place);
    }
    int& count = counts[path];
    const auto element = [&] {
      const std::string at = fmt::format("{}[{}]", path, count++);
      return walk_value(field, at, is_message(field) ? lexer_.current().place : name_place);
    };
    if (!lexer_.at_symbol('[')) {
      if (!json_) return element();
      report(lexer_.current().place, path, "takes a list, got " + found());
      skip_value();
      return false;
    }
    lexer_.advance();
    bool good = true;
    while (!broken_ && !lexer_.at_symbol(']')) {
      good = element() && good;
      if (lexer_.at_symbol(',')) {
        lexer_.advance();
        if (lexer_.at_symbol(']')) fail(path, "a comma stands before ']'", "remove the comma");
      } else if (!lexer_.at_symbol(']')) {
        fail(path, fmt::format("expected ',' or ']' in the list, got {}", found()));
      }
    }
    if (!broken_) lexer_.advance();
    return good;
  }

  bool walk_value(const FieldDescriptor& field, const std::string& path, Place name_place) {
    const Place place = lexer_.current().place;
    findings_.set_place(path, is_message(field) ? name_place : place);
    if (lexer_.current().kind == TokenKind::Bad || lexer_.current().kind == TokenKind::End) {
      fail(path, "the file ends where a value is expected");
      return false;
    }
    if (!json_ && lacks_value()) {
      report(name_place, path, "has no value");
      return false;
    }
    if (is_message(field)) {
      if (lexer_.at_symbol('{') || (!json_ && lexer_.at_symbol('<'))) {
        const char closer = lexer_.at_symbol('{') ? '}' : '>';
        lexer_.advance();
        walk_message(*field.message_type(), path, closer, place);
        return true;
      }
      report(place, path, "expected a block of fields, got " + found(),
             fmt::format("write {} {{ ... }} with {}", field.name(),
                         alternatives(field_names(*field.message_type()))));
      skip_value();
      return false;
    }
    if (lexer_.at_symbol('{') || lexer_.at_symbol('[') || lexer_.at_symbol('<')) {
      report(place, path, "expected a single value, got " + found());
      skip_value();
      return false;
    }
    return field.cpp_type() == FieldDescriptor::CPPTYPE_STRING ? walk_string(path)
                                                               : walk_scalar(field, path);
  }

  /// The next field, or the end of the block, stands where a value is expected.
  bool lacks_value() const {
    if (lexer_.at_symbol('}') || lexer_.at_symbol('>')) return true;
    if (lexer_.current().kind != TokenKind::Identifier) return false;
    Lexer ahead = lexer_;
    ahead.advance();
    return ahead.at_symbol(':') || ahead.at_symbol('{');
  }

  bool walk_string(const std::string& path) {
    if (lexer_.current().kind == TokenKind::String) {
      lexer_.advance();
      while (!json_ && lexer_.current().kind == TokenKind::String) lexer_.advance();
      return true;
    }
    const Place place = lexer_.current().place;
    const std::size_t begin = lexer_.current().begin;
    skip_value();
    while (!broken_ && !json_ && continues_text(place.line)) lexer_.advance();
    const std::string_view got = text_.substr(begin, lexer_.previous_end() - begin);
    report(place, path, "expected a text in quotes, got " + shown(got),
           fmt::format("write \"{}\"", got.substr(0, 40)));
    return false;
  }

  /// The current token belongs to a text without quotes ("5 req/s"), not to the next field.
  bool continues_text(int line) const {
    const Token& token = lexer_.current();
    if (token.place.line != line) return false;
    if (token.kind == TokenKind::Symbol) {
      return std::string_view("{}[]<>,;:").find(text_[token.begin]) == std::string_view::npos;
    }
    if (token.kind != TokenKind::Identifier) return token.kind == TokenKind::Number;
    Lexer ahead = lexer_;
    ahead.advance();
    return !ahead.at_symbol(':') && !ahead.at_symbol('{');
  }

  bool walk_scalar(const FieldDescriptor& field, const std::string& path) {
    const Place place = lexer_.current().place;
    std::string value;
    if (lexer_.at_symbol('-')) {
      value = "-";
      lexer_.advance();
    }
    const TokenKind kind = lexer_.current().kind;
    if (kind == TokenKind::Symbol || kind == TokenKind::Bad || kind == TokenKind::End) {
      fail(path, "expected a value, got " + found());
      return false;
    }
    value += lexer_.text();
    // JSON writes enums, and protobuf 64-bit numbers, in quotes.
    const bool may_be_quoted = json_ && (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM ||
                                         field.cpp_type() == FieldDescriptor::CPPTYPE_INT64 ||
                                         field.cpp_type() == FieldDescriptor::CPPTYPE_UINT64);
    const bool quoted = kind == TokenKind::String;
    if (quoted) value = value.substr(1, value.size() - 2);
    lexer_.advance();
    ValueProblem problem = scalar_problem(field, value);
    if (problem.message.empty()) {
      if (!quoted || may_be_quoted) return true;
      problem = {fmt::format("takes no text, got \"{}\"", value), "write it without quotes"};
    }
    report(place, path, std::move(problem.message), std::move(problem.hint));
    return false;
  }

  /// Passes over one value of any form.
  void skip_value() {
    std::string open;  // closers still to come
    bool more = true;
    while (more || !open.empty()) {
      const TokenKind kind = lexer_.current().kind;
      if (kind == TokenKind::End || kind == TokenKind::Bad) {
        fail("", "the file ends inside a value", "is it truncated?");
        return;
      }
      const char c = kind == TokenKind::Symbol ? text_[lexer_.current().begin] : '\0';
      if (c == '{') open += '}';
      if (c == '[') open += ']';
      if (c == '<') open += '>';
      if (open.size() > kMaxDepth) {
        fail("", fmt::format("blocks are nested deeper than {} levels", kMaxDepth));
        return;
      }
      if (c == '}' || c == ']' || c == '>') {
        if (open.empty() || open.back() != c) {
          fail("", fmt::format("'{}' closes no block", c));
          return;
        }
        open.pop_back();
      }
      lexer_.advance();
      // A minus belongs to the number behind it; neighbouring strings are one text.
      more = c == '-' ||
             (kind == TokenKind::String && !json_ && lexer_.current().kind == TokenKind::String);
    }
  }

  std::string cleaned() {
    std::sort(cuts_.begin(), cuts_.end(),
              [](const Cut& a, const Cut& b) { return a.begin < b.begin; });
    std::string result;
    std::size_t at = 0;
    for (const Cut& cut : cuts_) {
      if (cut.begin < at) continue;  // inside one that is cut already
      result.append(text_.substr(at, cut.begin - at));
      if (json_) result += "null";
      at = cut.end;
    }
    result.append(text_.substr(at));
    return result;
  }

  std::string_view text_;
  bool json_;
  Lexer lexer_;
  Findings& findings_;
  std::vector<Cut> cuts_;
  bool broken_ = false;
};

}  // namespace

Outline outline(std::string_view text, Syntax syntax, const Descriptor& schema,
                const std::string& root, Findings& findings) {
  return Walker(text, syntax, findings).walk(schema, root);
}

}  // namespace moesim::scenario
