// stop_gradient: y = x, dy/dx = 0 by decree.
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/sample.hpp>
#include <gradloom/ops/stop_gradient.hpp>

namespace gradloom::inline v0 {

// The gradient is `none` and not a missing rule: a path that ends here is what the user asked for, never an error.
const OpDef stop_gradient_def{
    .name = "stop_gradient",
    .inputs = {"x"},
    .rule = "stop_gradient needs one tensor",
    .shape = [](const ShapeContext& context) { return std::vector<TensorType>{context.input(0)}; },
    .vjp = [](const Vjp&) -> Gradients { return {Gradient::none()}; },
    .properties = {.alias = true, .takes_bf16 = true},
    .simplify = [](Graph&, const Node&, std::span<const Tensor> inputs) { return inputs[0]; },
    .samples =
        [] {
          return std::vector<Sample>{{.inputs = {{{2, 3}}}, .differentiable = false}};
        }};

Tensor stop_gradient(const Operand& x) {
  const SourceScope scope(x, "stop_gradient");
  return x.tensor().graph().add(stop_gradient_def, {&x.tensor(), 1}, {}, x.location());
}

}  // namespace gradloom::inline v0
