#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/ops/refuse_internal.hpp>

namespace gradloom::inline v0 {

void refuse(const OpDef& op, std::span<const Tensor> operands, const std::string& problem, SourceLocation location) {
  std::vector<Value> values;
  for (const Tensor& operand : operands) values.push_back({operand.node_id(), operand.output()});
  const Graph& graph = operands.front().graph();
  throw Error({.problem = problem,
               .op = std::string(op.name),
               .location = to_string(graph.user_line(location)),
               .details = describe_operands(graph, op, values),
               .rule = std::string(op.rule)});
}

void refuse(std::string_view function, std::string_view rule, const Tensor& x, const std::string& problem,
            SourceLocation location) {
  const OpDef op{.name = function, .inputs = {"x"}, .rule = rule};
  refuse(op, {&x, 1}, problem, location);
}

}  // namespace gradloom::inline v0
