#include <gradloom/graph/error.hpp>

namespace gradloom::inline v0 {

namespace {

std::string put_together(const ErrorParts& parts) {
  std::string text;
  if (!parts.location.empty()) text += parts.location + ": ";
  if (!parts.op.empty()) text += parts.op;
  if (!parts.node.empty()) text += (parts.op.empty() ? "\"" : " \"") + parts.node + "\"";
  if (!parts.op.empty() || !parts.node.empty()) text += ": ";
  text += parts.problem;
  if (!parts.details.empty()) text += "\n  " + parts.details;
  if (!parts.rule.empty()) text += "\n  " + parts.rule;
  return text;
}

}  // namespace

Error::Error(ErrorParts parts) : parts_(std::move(parts)), message_(put_together(parts_)) {}

Error::Error(std::string_view problem) : Error(ErrorParts{.problem = std::string(problem)}) {}

}  // namespace gradloom::inline v0
