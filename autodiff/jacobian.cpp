#include <gradloom/autodiff/gradients_internal.hpp>
#include <gradloom/autodiff/jacobian.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/movement.hpp>

#include <cstring>
#include <string>
#include <vector>

namespace gradloom::inline v0 {

namespace {

[[noreturn]] void fail(std::string op, const Operand& y, std::string problem, std::string rule) {
  throw Error({.problem = std::move(problem),
               .op = std::move(op),
               .location = to_string(y.tensor().graph().user_line(y.location())),
               .rule = std::move(rule)});
}

/// Zeros but for a 1 in element `at`.
Tensor unit(const Tensor& like, int64_t at, SourceLocation location) {
  const std::vector<int64_t> sizes = like.shape().sizes();
  const size_t element = size_of(like.dtype());
  std::vector<std::byte> bytes(static_cast<size_t>(like.shape().element_count().value()) * element);
  const float one_f32 = 1;
  const double one_f64 = 1;
  std::memcpy(bytes.data() + static_cast<size_t>(at) * element,
              like.dtype() == DType::f32 ? static_cast<const void*>(&one_f32) : &one_f64, element);
  return constant(like.graph(), like.dtype(), sizes, bytes, location);
}

Tensor rows(const Operand& y, const Tensor& x, CutPaths cut_paths) {
  if (!x.valid()) return gradients(y, {&x, 1}, {}, cut_paths)[0];  // which tells what is wrong
  const int64_t count = y.tensor().shape().element_count().value();
  std::vector<Dim> dims = y.tensor().shape().dims();
  dims.insert(dims.end(), x.shape().begin(), x.shape().end());
  std::vector<Tensor> found;
  for (int64_t i = 0; i < count; ++i) {
    found.push_back(gradients(y, {&x, 1}, unit(y.tensor(), i, y.location()), cut_paths)[0]);
  }
  if (found.empty()) return full(x.graph(), Shape(std::move(dims)), 0, x.dtype(), y.location());
  return reshape(Operand(stack(found), y.location()), Shape(std::move(dims)));
}

}  // namespace

Tensor jacobian(const Operand& y, const Tensor& x) {
  const SourceScope scope(y, "jacobian");
  if (!y.tensor().shape().known()) {
    fail("jacobian", y,
         "the shape " + y.tensor().shape().to_string() + " of y \"" + y.tensor().name() + "\" has a symbol",
         "jacobian makes nodes for each element of y");
  }
  return rows(y, x, CutPaths::refuse);
}

Tensor hessian(const Operand& y, const Tensor& x) {
  const SourceScope scope(y, "hessian");
  const Tensor dx = gradients(y, {&x, 1}, {}, CutPaths::refuse)[0];
  if (y.tensor().rank() != 0) {
    fail("hessian", y, "y \"" + y.tensor().name() + "\" is " + to_string({y.tensor().dtype(), y.tensor().shape()}),
         "hessian needs a scalar y");
  }
  if (!x.shape().known()) {
    fail("hessian", y, "the shape " + x.shape().to_string() + " of x \"" + x.name() + "\" has a symbol",
         "hessian makes nodes for each element of x");
  }
  return rows(Operand(dx, y.location()), x, CutPaths::zero);
}

}  // namespace gradloom::inline v0
