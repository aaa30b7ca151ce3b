// constant: data that is part of the graph. The runtime points kernels straight at the literal's bytes.
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/graph/node.hpp>
#include <gradloom/graph/with_type_internal.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/fits_internal.hpp>
#include <gradloom/ops/movement.hpp>

#include <fmt/format.h>

#include <cstring>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  const Literal& literal = *context.attributes().get<std::shared_ptr<const Literal>>("literal");
  int64_t count = 1;
  for (const int64_t size : literal.sizes) count *= size;
  const size_t needed = static_cast<size_t>(count) * size_of(literal.dtype);
  if (literal.bytes.size() != needed) {
    context.fail(fmt::format("{} bytes given, {} needed", literal.bytes.size(), needed));
  }
  return {{literal.dtype, Shape(std::span<const int64_t>(literal.sizes))}};
}

}  // namespace

const OpDef constant_def{.name = "constant",
                         .rule = "constant needs as many values as its shape has elements",
                         .shape = shape,
                         .no_gradient = "a constant has no inputs"};

bool is_constant(const Node& node) { return node.op == &constant_def; }

const Literal& literal_of(const Node& constant) {
  return *constant.attributes.get<std::shared_ptr<const Literal>>("literal");
}

bool is_constant(const Tensor& tensor, double value) {
  if (!is_constant(tensor.node())) return false;
  const Literal& literal = literal_of(tensor.node());
  return with_type(literal.dtype, [&](auto zero) {
    using T = decltype(zero);
    if (literal.bytes.empty()) return false;
    for (size_t at = 0; at < literal.bytes.size(); at += sizeof(T)) {
      T element;
      std::memcpy(&element, literal.bytes.data() + at, sizeof(T));
      if (static_cast<double>(element) != value) return false;
    }
    return true;
  });
}

Tensor constant(Graph& graph, Literal literal, SourceLocation location) {
  return graph.add(constant_def, {}, {{"literal", std::make_shared<const Literal>(std::move(literal))}}, location);
}

Tensor constant(Graph& graph, DType dtype, std::span<const int64_t> sizes, std::span<const std::byte> bytes,
                SourceLocation location) {
  return constant(graph, Literal{dtype, {sizes.begin(), sizes.end()}, {bytes.begin(), bytes.end()}}, location);
}

Tensor constant(Graph& graph, double value, DType dtype, SourceLocation location) {
  if (!fits(value, dtype)) {
    throw Error({.problem = fmt::format("{} is no {}", value, to_string(dtype)),
                 .op = "constant",
                 .location = to_string(graph.user_line(location)),
                 .rule = "a number takes the dtype of the Tensor beside it; cast the Tensor to mix dtypes"});
  }
  Literal literal{dtype, {}, std::vector<std::byte>(size_of(dtype))};
  with_type(dtype, [&](auto zero) {
    using T = decltype(zero);
    const T element = static_cast<T>(value);
    std::memcpy(literal.bytes.data(), &element, sizeof(T));
  });
  return constant(graph, std::move(literal), location);
}

Tensor full(Graph& graph, const Shape& shape, double value, DType dtype, SourceLocation location) {
  return broadcast(Operand(constant(graph, value, dtype, location), location), shape);
}

Tensor zeros_like(const Operand& x) {
  return full(x.tensor().graph(), x.tensor().shape(), 0, x.tensor().dtype(), x.location());
}

Tensor ones_like(const Operand& x) {
  return full(x.tensor().graph(), x.tensor().shape(), 1, x.tensor().dtype(), x.location());
}

}  // namespace gradloom::inline v0
