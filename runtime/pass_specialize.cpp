// specialize: every symbol gets its value, so that every size is a number. The shape rules run again, on numbers.
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/runtime/bodies_internal.hpp>
#include <gradloom/runtime/passes_internal.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

class Specializer final : public Rewriter {
 public:
  Specializer(const Module& from, std::span<const SymbolBinding> bindings) : Rewriter(from), bindings_(bindings) {}

 protected:
  std::vector<Tensor> rewrite(const Node& node, std::span<const Tensor> inputs) override {
    // Bodies first, since the shapes of the node follow from theirs.
    if (node.op->properties.runs_bodies) {
      const Attributes bound =
          with_transformed_bodies(node, [&](const Module& body) { return specialize(body, bindings_); });
      return copy(node, inputs, bound.bind(bindings_));
    }
    return copy(node, inputs, node.attributes.bind(bindings_));
  }

 private:
  std::span<const SymbolBinding> bindings_;
};

// Where a symbol was brought in: the first input whose shape has it.
std::string origin_of(const Graph& graph, const std::string& symbol) {
  for (const Tensor& input : graph.inputs()) {
    for (const Dim& dim : input.shape()) {
      const std::vector<std::string> symbols = dim.symbols();
      if (std::find(symbols.begin(), symbols.end(), symbol) != symbols.end()) {
        return fmt::format("input \"{}\", {}", input.node().name, to_string(input.node().location));
      }
    }
  }
  return "an input";
}

void check_constraint(const Graph& graph, const DimConstraint& constraint, std::span<const SymbolBinding> bindings) {
  const Dim a = constraint.a.bind(bindings), b = constraint.b.bind(bindings);
  if (a == b) return;
  const Node& node = graph.node(constraint.node);
  std::string details;
  for (const SymbolBinding& binding : bindings) {
    const auto in = [&](const Dim& dim) {
      const std::vector<std::string> symbols = dim.symbols();
      return std::find(symbols.begin(), symbols.end(), binding.name) != symbols.end();
    };
    if (!in(constraint.a) && !in(constraint.b)) continue;
    details += fmt::format("{}{} is {}, by {}", details.empty() ? "" : "\n  ", binding.name, binding.value,
                           origin_of(graph, binding.name));
  }
  throw Error(
      {.problem = fmt::format(
           "{} differ, {} and {}", constraint.what,
           constraint.a.known() ? a.to_string() : fmt::format("{} = {}", constraint.a.to_string(), a.to_string()),
           constraint.b.known() ? b.to_string() : fmt::format("{} = {}", constraint.b.to_string(), b.to_string())),
       .op = std::string(node.op->name),
       .node = node.name,
       .location = to_string(node.location),
       .details = details,
       .rule = "sizes that the graph takes to be equal must be given equal values"});
}

}  // namespace

Module specialize(const Module& module, std::span<const SymbolBinding> bindings) {
  for (const DimConstraint& constraint : module.graph.constraints())
    check_constraint(module.graph, constraint, bindings);
  return Specializer(module, bindings).run();
}

}  // namespace gradloom::inline v0
