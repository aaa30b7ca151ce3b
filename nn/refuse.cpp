#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/nn/refuse_internal.hpp>

#include <fmt/format.h>

#include <vector>

namespace gradloom::inline v0::nn {

void refuse(std::string_view function, const Operand& at, std::string problem, std::initializer_list<Shown> tensors,
            std::string_view rule) {
  OpDef names{.name = function};  // only for the names in the operand lines
  std::vector<Value> values;
  for (const Shown& shown : tensors) {
    names.inputs.push_back(shown.name);
    values.push_back({shown.tensor.node_id(), shown.tensor.output()});
  }
  throw Error({.problem = std::move(problem),
               .op = std::string(function),
               .location = to_string(at.is_number() ? at.location() : at.tensor().graph().user_line(at.location())),
               .details = values.empty() ? "" : describe_operands(tensors.begin()->tensor.graph(), names, values),
               .rule = std::string(rule)});
}

bool may_be_equal(const Dim& a, const Dim& b) {
  if (a == b) return true;
  return a != Dim(1) && b != Dim(1) && !(a - b).known();
}

void require_same_shape(std::string_view function, const Operand& at, const Shown& a, const Shown& b,
                        std::string_view rule) {
  if (&a.tensor.graph() != &b.tensor.graph()) {
    refuse(function, at, fmt::format("{} belongs to another graph", b.name), {}, rule);
  }
  bool same = a.tensor.rank() == b.tensor.rank();
  for (int axis = 0; same && axis < a.tensor.rank(); ++axis)
    same = may_be_equal(a.tensor.dim(axis), b.tensor.dim(axis));
  if (same) return;
  refuse(function, at,
         fmt::format("the shapes of {} and {} differ, {} and {}", a.name, b.name, a.tensor.shape().to_string(),
                     b.tensor.shape().to_string()),
         {a, b}, rule);
}

}  // namespace gradloom::inline v0::nn
