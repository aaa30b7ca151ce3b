#include <gradloom/autodiff/jvp.hpp>

#include <fmt/format.h>

#include <gradloom/autodiff/gradients_internal.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/constant.hpp>

namespace gradloom::inline v0 {

namespace {

TensorType type_of(const Tensor& tensor) { return {tensor.dtype(), tensor.shape()}; }

void check_directions(const char* function, const Operand& y, std::span<const Tensor> xs, std::span<const Tensor> directions) {
  const auto fail = [&](std::string problem) {
    throw Error({.problem = std::move(problem),
                 .op = function,
                 .location = to_string(y.is_number() ? y.location() : y.tensor().graph().user_line(y.location())),
                 .rule = fmt::format("{} needs, for each x, a direction of its shape and dtype", function)});
  };
  if (y.is_number()) fail("y is a number or an empty Tensor");
  if (xs.size() != directions.size()) fail(fmt::format("{} directions given for {} xs", directions.size(), xs.size()));
  for (size_t i = 0; i < xs.size(); ++i) {
    if (!xs[i].valid()) fail(fmt::format("x {} is an empty Tensor", i));
    if (!directions[i].valid()) fail(fmt::format("direction {} is an empty Tensor", i));
    if (type_of(directions[i]) == type_of(xs[i])) continue;
    fail(fmt::format("direction {} \"{}\" is {}, x \"{}\" is {}", i, directions[i].name(), to_string(type_of(directions[i])),
                     xs[i].name(), to_string(type_of(xs[i]))));
  }
}

}  // namespace

Tensor jvp(const Operand& y, std::span<const Tensor> xs, std::span<const Tensor> tangents) {
  check_directions("jvp", y, xs, tangents);
  const SourceScope scope(y, "jvp");
  // The value of u does not matter, J^T u being linear in it; what matters is that nothing else depends on this node.
  const Tensor u = zeros_like(y);
  if (xs.empty()) return u;
  const std::vector<Tensor> pulled_back = gradients(y, xs, u, CutPaths::refuse);
  return weighted_gradients(pulled_back, tangents, {&u, 1}, y.location())[0];
}

Tensor jvp(const Operand& y, const Tensor& x, const Tensor& tangent) { return jvp(y, {&x, 1}, {&tangent, 1}); }

std::vector<Tensor> hvp(const Operand& y, std::span<const Tensor> xs, std::span<const Tensor> vs) {
  check_directions("hvp", y, xs, vs);
  const SourceScope scope(y, "hvp");
  return weighted_gradients(gradients(y, xs, {}, CutPaths::refuse), vs, xs, y.location());
}

Tensor hvp(const Operand& y, const Tensor& x, const Tensor& v) { return hvp(y, {&x, 1}, {&v, 1})[0]; }

}  // namespace gradloom::inline v0
