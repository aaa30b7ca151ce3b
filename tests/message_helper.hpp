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

}  // namespace gradloom::test
