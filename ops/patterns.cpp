#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/patterns.hpp>

#include <cmath>
#include <cstring>

namespace gradloom::inline v0 {

namespace {

/// Formulas that a rule can mean are small; a bound keeps the comparison of large graphs cheap.
constexpr int deepest_comparison = 12;

template <class T>
std::optional<double> only_value(const std::vector<std::byte>& bytes) {
  for (size_t at = sizeof(T); at < bytes.size(); at += sizeof(T)) {
    if (std::memcmp(bytes.data(), bytes.data() + at, sizeof(T)) != 0) return std::nullopt;
  }
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return static_cast<double>(value);
}

std::optional<double> only_value(const Literal& literal) {
  if (literal.bytes.empty()) return std::nullopt;
  switch (literal.dtype) {
    case DType::boolean:
    case DType::u8:
      return only_value<uint8_t>(literal.bytes);
    case DType::i32:
      return only_value<int32_t>(literal.bytes);
    case DType::i64:
      return only_value<int64_t>(literal.bytes);
    case DType::bf16:
      return only_value<BFloat16>(literal.bytes);
    case DType::f32:
      return only_value<float>(literal.bytes);
    case DType::f64:
      break;
  }
  return only_value<double>(literal.bytes);
}

/// x without stop_gradient and other ops that only pass their input on.
Tensor source_of(Tensor x) {
  while (x.node().op->properties.alias && input_of(x).shape() == x.shape()) x = input_of(x);
  return x;
}

bool equal_values(const Tensor& a, const Tensor& b, int depth) {
  if (same(a, b)) return true;
  const Tensor x = source_of(a), y = source_of(b);
  if (same(x, y)) return true;
  const Node &p = x.node(), &q = y.node();
  const bool comparable = p.op == q.op && x.output() == y.output() && p.inputs.size() == q.inputs.size() && depth > 0;
  // Inputs and parameters are equal to themselves only: their attributes do not name them.
  if (!comparable || (p.inputs.empty() && !is_constant(p)) || p.op->properties.random || p.op->properties.per_run) {
    return false;
  }
  if (!(p.attributes == q.attributes)) return false;
  for (int i = 0; i < static_cast<int>(p.inputs.size()); ++i) {
    if (!equal_values(input_of(x, i), input_of(y, i), depth - 1)) return false;
  }
  return true;
}

bool negates(const Tensor& a, const Tensor& b) {
  if (made_by(a, neg_def)) return equal_values(input_of(a), b);
  if (!made_by(a, mul_def)) return false;
  return (is_uniform(input_of(a, 0), -1) && equal_values(input_of(a, 1), b)) ||
         (is_uniform(input_of(a, 1), -1) && equal_values(input_of(a, 0), b));
}

}  // namespace

bool made_by(const Tensor& x, const OpDef& op) { return x.node().op == &op; }

Tensor input_of(const Tensor& x, int i) {
  const Value& value = x.node().inputs[static_cast<size_t>(i)];
  return x.graph().tensor(value.node, value.output);
}

std::optional<double> uniform_value(const Tensor& x) {
  Tensor source = x;
  while (made_by(source, broadcast_def) || source.node().op->properties.alias) source = input_of(source);
  return is_constant(source.node()) ? only_value(literal_of(source.node())) : std::nullopt;
}

bool is_uniform(const Tensor& x, double value) {
  const std::optional<double> uniform = uniform_value(x);
  return uniform && *uniform == value && std::signbit(*uniform) == std::signbit(value);
}

Tensor repeated_scalar(const Tensor& x) {
  if (!made_by(x, broadcast_def)) return {};
  const Tensor source = input_of(x);
  return source.shape().element_count() == Dim(1) ? reshape(source, {}) : Tensor();
}

bool equal_values(const Tensor& a, const Tensor& b) { return equal_values(a, b, deepest_comparison); }

Tensor negated(const Tensor& x) {
  if (made_by(x, neg_def)) return input_of(x);
  if (made_by(x, sub_def)) return input_of(x, 1) - input_of(x, 0);
  return -x;
}

bool are_opposite(const Tensor& a, const Tensor& b) {
  if (negates(a, b) || negates(b, a)) return true;
  return made_by(a, sub_def) && made_by(b, sub_def) && equal_values(input_of(a, 0), input_of(b, 1)) &&
         equal_values(input_of(a, 1), input_of(b, 0));
}

Tensor one_plus(const Tensor& x) {
  if (!made_by(x, add_def)) return {};
  if (is_uniform(input_of(x, 0), 1)) return input_of(x, 1);
  if (is_uniform(input_of(x, 1), 1)) return input_of(x, 0);
  return {};
}

}  // namespace gradloom::inline v0
