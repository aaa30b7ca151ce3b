// The full text of the error that f throws.
#pragma once

#include <gradloom/graph/error.hpp>

#include <string>

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

/// The same with the line numbers left out ("mod_test.cpp: ..."), for tests that compare many messages: one of them
/// compares the lines too.
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
