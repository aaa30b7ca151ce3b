// Walks over a text token by token; errors carry the line and column.
#pragma once

#include <gradloom/graph/error.hpp>
#include <gradloom/graph/text_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace gradloom::inline v0 {

inline bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}
inline bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/// The text and a place in it.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  size_t at() const { return at_; }

  std::string place(size_t at) const {
    const std::string_view before = text_.substr(0, at);
    const auto lines = std::count(before.begin(), before.end(), '\n');
    return fmt::format("text:{}:{}", lines + 1, at - (before.find_last_of('\n') + 1) + 1);
  }
  [[noreturn]] void fail(size_t at, std::string problem, std::string rule = {}) const {
    throw Error({.problem = std::move(problem), .location = place(at), .rule = std::move(rule)});
  }
  /// At the next token: "expected X, not Y".
  [[noreturn]] void fail_expected(std::string_view what) {
    skip_space();
    const std::string_view rest = text_.substr(at_);
    const size_t word = static_cast<size_t>(std::find_if_not(rest.begin(), rest.end(), is_word) - rest.begin());
    const std::string found =
        rest.empty() ? "the end" : fmt::format("\"{}\"", rest.substr(0, std::max<size_t>(word, 1)));
    fail(at_, fmt::format("expected {}, not {}", what, found));
  }

  char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(char c) {
    if (peek() != c || c == '\0') return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail_expected(fmt::format("\"{}\"", c));
  }
  /// A keyword, as a whole word.
  bool take(std::string_view keyword) {
    skip_space();
    const std::string_view rest = text_.substr(at_);
    if (!rest.starts_with(keyword) || (rest.size() > keyword.size() && is_word(rest[keyword.size()]))) return false;
    at_ += keyword.size();
    return true;
  }
  /// Letters, digits and _; at least one.
  std::string_view word(std::string_view what) {
    skip_space();
    const std::string_view found = take_while(is_word);
    if (found.empty()) fail_expected(what);
    return found;
  }
  /// The longest run of characters of a kind, perhaps none.
  template <class F>
  std::string_view take_while(F kind) {
    const size_t begin = at_;
    while (at_ < text_.size() && kind(text_[at_])) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  /// Up to (not including) a ',' or `close` that is not in parentheses.
  std::string_view until(char close) {
    skip_space();
    const size_t begin = at_;
    for (int depth = 0; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (depth == 0 && (c == ',' || c == close)) break;
      depth += c == '(' ? 1 : c == ')' ? -1 : 0;
      if (c == '\n') break;
    }
    return text_.substr(begin, at_ - begin);
  }
  int64_t integer() {
    skip_space();
    const size_t begin = at_;
    const std::string_view digits = take_while([](char c) { return c == '-' || (c >= '0' && c <= '9'); });
    if (digits.empty()) fail_expected("an integer");
    const std::optional<int64_t> value = parse_element<int64_t>(digits);
    if (!value) fail(begin, fmt::format("{} is no 64-bit integer", digits));
    return *value;
  }
  std::string string() {
    expect('"');
    const size_t begin = at_ - 1;
    std::string result;
    while (at_ < text_.size() && text_[at_] != '"') {
      char c = text_[at_++];
      if (c == '\\' && at_ < text_.size()) {
        c = text_[at_++];
        if (c == 'u') {
          uint8_t code = 0;  // what is printed so is below 0x20
          const std::string_view digits = text_.substr(at_, 4);
          const auto end = digits.data() + digits.size();
          if (digits.size() != 4 || std::from_chars(digits.data(), end, code, 16).ptr != end)
            fail(at_, "expected four hex digits, 00ff at most");
          at_ += 4;
          c = static_cast<char>(code);
        }
      }
      result += c;
    }
    if (at_ == text_.size()) fail(begin, "the string does not end");
    ++at_;
    return result;
  }

 private:
  void skip_space() { take_while(is_space); }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace gradloom::inline v0
