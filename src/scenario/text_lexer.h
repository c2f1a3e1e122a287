// Splits text format or JSON into tokens with their places.
//
// Text format knows # comments, 'single' and "double" quotes; JSON neither # nor single quotes.
// Layer: scenario.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "scenario/findings.h"
#include "scenario/scenario_reader.h"

namespace moesim::scenario {

enum class TokenKind {
  Identifier,
  Number,  ///< Begins with a digit, or a dot and a digit; all letters and digits after it.
  String,  ///< Quotes included.
  Symbol,  ///< One printable ASCII character.
  End,
  Bad,  ///< A string without end or a character that belongs nowhere: see Lexer::problem().
};

struct Token {
  TokenKind kind = TokenKind::End;
  std::size_t begin = 0;
  std::size_t end = 0;
  Place place;
};

/// Cheap to copy: a copy looks ahead.
class Lexer {
 public:
  Lexer(std::string_view text, Syntax syntax) : text_(text), syntax_(syntax) { advance(); }

  [[nodiscard]] const Token& current() const { return current_; }
  [[nodiscard]] std::string_view text() const { return text(current_); }
  [[nodiscard]] std::string_view text(const Token& token) const {
    return text_.substr(token.begin, token.end - token.begin);
  }
  [[nodiscard]] bool at_symbol(char c) const {
    return current_.kind == TokenKind::Symbol && text_[current_.begin] == c;
  }
  /// Why the current token is Bad.
  [[nodiscard]] std::string problem() const;
  /// Offset behind the token before the current one.
  [[nodiscard]] std::size_t previous_end() const { return previous_end_; }
  void advance();

 private:
  void step();
  void skip_blanks();
  void scan_string(char quote);

  std::string_view text_;
  Syntax syntax_;
  std::size_t at_ = 0;
  Place place_;
  Token current_;
  std::size_t previous_end_ = 0;
};

}  // namespace moesim::scenario
