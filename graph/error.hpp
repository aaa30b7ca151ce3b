#pragma once

#include <gradloom/graph/export.hpp>

#include <exception>
#include <string>
#include <string_view>

namespace gradloom::inline v0 {

/// What went wrong, by parts; `Error::what()` is put together from them. Parts that do not apply stay empty.
struct ErrorParts {
  std::string problem{};   ///< one sentence, with the values
  std::string op{};        ///< "matmul"
  std::string node{};      ///< the name the user gave the node
  std::string location{};  ///< "train.cpp:41", the user's line
  std::string details{};   ///< further lines: the operands, the choices
  std::string rule{};      ///< what the op or function needs
};

/// The one exception type of Gradloom: every mistake of a user ends in it, before anything was changed.
class GRADLOOM_API Error : public std::exception {
 public:
  explicit Error(ErrorParts parts);
  explicit Error(std::string_view problem);

  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }
  [[nodiscard]] const std::string& problem() const noexcept { return parts_.problem; }
  [[nodiscard]] const std::string& op() const noexcept { return parts_.op; }
  [[nodiscard]] const std::string& node() const noexcept { return parts_.node; }
  [[nodiscard]] const std::string& location() const noexcept { return parts_.location; }
  [[nodiscard]] const std::string& details() const noexcept { return parts_.details; }
  [[nodiscard]] const std::string& rule() const noexcept { return parts_.rule; }

 private:
  ErrorParts parts_;
  std::string message_;
};

}  // namespace gradloom::inline v0
