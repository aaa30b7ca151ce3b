#include "formula_helper.hpp"

#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/patterns.hpp>

#include <fmt/format.h>

namespace gradloom::test {

std::string formula(const Tensor& tensor) {
  const Node& node = tensor.node();
  if (is_input(node) || is_parameter(node)) return node.name;
  if (const auto value = uniform_value(tensor)) return fmt::format("{}", *value);
  if (is_constant(node)) return "constant";
  if (made_by(tensor, broadcast_def) || node.op->properties.alias) return formula(input_of(tensor));
  std::string inputs;
  for (int i = 0; i < static_cast<int>(node.inputs.size()); ++i) {
    inputs += (i == 0 ? "" : ", ") + formula(input_of(tensor, i));
  }
  return fmt::format("{}({})", node.op->name, inputs);
}

}  // namespace gradloom::test
