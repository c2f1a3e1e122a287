#include "scenario/text_lexer.h"

#include <fmt/format.h>

namespace moesim::scenario {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

}  // namespace

void Lexer::step() {
  const auto byte = static_cast<unsigned char>(text_[at_]);
  ++at_;
  if (byte == '\n') {
    ++place_.line;
    place_.column = 1;
  } else if ((byte & 0xc0U) != 0x80U) {  // 10xxxxxx continues a character
    ++place_.column;
  }
}

void Lexer::skip_blanks() {
  while (at_ < text_.size()) {
    if (is_blank(text_[at_])) {
      step();
    } else if (text_[at_] == '#' && syntax_ == Syntax::Text) {
      while (at_ < text_.size() && text_[at_] != '\n') step();
    } else {
      return;
    }
  }
}

void Lexer::scan_string(char quote) {
  step();
  while (at_ < text_.size() && text_[at_] != '\n') {
    const char c = text_[at_];
    step();
    if (c == quote) return;
    if (c == '\\' && at_ < text_.size() && text_[at_] != '\n') step();
  }
  current_.kind = TokenKind::Bad;
}

void Lexer::advance() {
  previous_end_ = current_.end;
  skip_blanks();
  current_ = {TokenKind::End, at_, at_, place_};
  if (at_ >= text_.size()) return;
  const char c = text_[at_];
  const bool number =
      is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]));
  if (is_letter(c)) {
    current_.kind = TokenKind::Identifier;
    while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) step();
  } else if (number) {
    current_.kind = TokenKind::Number;
    char last = ' ';
    while (at_ < text_.size() &&
           (is_letter(text_[at_]) || is_digit(text_[at_]) || text_[at_] == '.' ||
            ((last == 'e' || last == 'E') && (text_[at_] == '+' || text_[at_] == '-')))) {
      last = text_[at_];
      step();
    }
  } else if (c == '"' || (c == '\'' && syntax_ == Syntax::Text)) {
    current_.kind = TokenKind::String;
    scan_string(c);
  } else if (c > ' ' && c <= '~') {
    current_.kind = TokenKind::Symbol;
    step();
  } else {
    current_.kind = TokenKind::Bad;
    step();
    while (at_ < text_.size() && (static_cast<unsigned char>(text_[at_]) & 0xc0U) == 0x80U) step();
  }
  current_.end = at_;
}

std::string Lexer::problem() const {
  const char c = text_[current_.begin];
  if (c == '"' || (c == '\'' && syntax_ == Syntax::Text)) {
    return "a string has no closing quote on its line";
  }
  return fmt::format("the character {} belongs nowhere", shown(text()));
}

}  // namespace moesim::scenario
