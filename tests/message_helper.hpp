// The full text of the error that f throws.
#pragma once

#include <gradloom/graph/error.hpp>
#include <gradloom/graph/source_location.hpp>

#include <initializer_list>
#include <string>
#include <string_view>

namespace gradloom::test {

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

struct NamedLine {
  std::string_view name;
  int line = 0;
};

/// `text` with names for lines of the file that calls this: "pair_test.cpp:31" becomes "<made>".
inline std::string with_names(std::string text, std::initializer_list<NamedLine> lines,
                              SourceLocation here = SourceLocation::current()) {
  const std::string_view path = here.file;
  for (const auto& [name, line] : lines) {
    const std::string place = std::string(path.substr(path.find_last_of('/') + 1)) + ':' + std::to_string(line);
    for (size_t at = text.find(place); at != std::string::npos; at = text.find(place, at + 1)) {
      const size_t end = at + place.size();
      if (end < text.size() && text[end] >= '0' && text[end] <= '9') continue;
      text.replace(at, place.size(), '<' + std::string(name) + '>');
    }
  }
  return text;
}

/// The full text of the error that f throws, with names for lines, so that formatting a test does not change it. The
/// line of this call is "<here>", others have the names that `lines` gives them.
template <class F>
std::string named_message_of(F f, std::initializer_list<NamedLine> lines = {},
                             SourceLocation here = SourceLocation::current()) {
  return with_names(with_names(message_of(f), {{"here", here.line}}, here), lines, here);
}

/// The same as message_of with the line numbers left out ("mod_test.cpp: ..."), for tests that compare many messages:
/// one of them compares the lines too.
template <class F>
std::string message_without_lines_of(F f) {
  std::string text = message_of(f);
  const std::string file = "_test.cpp:";
  for (size_t at = text.find(file); at != std::string::npos; at = text.find(file, at)) {
    at += file.size() - 1;
    text.erase(at, text.find_first_not_of("0123456789", at + 1) - at);
  }
  return text;
}

}  // namespace gradloom::test
