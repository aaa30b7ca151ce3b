// Logic on booleans.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct LogicalAnd {
  template <class V>
  V operator()(V a, V b) const {
    return V(a & b);
  }
};
struct LogicalOr {
  template <class V>
  V operator()(V a, V b) const {
    return V(a | b);
  }
};
struct LogicalXor {
  template <class V>
  V operator()(V a, V b) const {
    return V((a | b) & !(a & b));  // xsimd 8.1: ^ of AVX-512 masks is an "or", and != of SSE's compares nan with nan
  }
};
struct LogicalNot {
  template <class V>
  V operator()(V a) const {
    return !a;
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(logical_and, LogicalAnd, booleans)
GRADLOOM_POINTWISE(logical_or, LogicalOr, booleans)
GRADLOOM_POINTWISE(logical_xor, LogicalXor, booleans)
GRADLOOM_POINTWISE(logical_not, LogicalNot, booleans)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/logic.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/pointwise.hpp>

namespace gradloom::inline v0 {

namespace {
constexpr std::string_view no_gradient = "its result is boolean";

/// a or b if the other one is `neutral` everywhere, or if they are equal.
Tensor simplify_with_neutral(std::span<const Tensor> inputs, double neutral) {
  const Tensor &a = inputs[0], &b = inputs[1];
  if (is_uniform(a, neutral)) return b;
  return is_uniform(b, neutral) || equal_values(a, b) ? a : Tensor();
}

Tensor simplify_and(Graph&, const Node&, std::span<const Tensor> inputs) { return simplify_with_neutral(inputs, 1); }
Tensor simplify_or(Graph&, const Node&, std::span<const Tensor> inputs) { return simplify_with_neutral(inputs, 0); }
Tensor simplify_not(Graph&, const Node&, std::span<const Tensor> inputs) {
  return made_by(inputs[0], logical_not_def) ? input_of(inputs[0]) : Tensor();
}

}  // namespace

const OpDef logical_and_def{.name = "logical_and",
                            .inputs = {"lhs", "rhs"},
                            .rule = "logical_and needs two boolean tensors of one shape",
                            .shape = pointwise_shape,
                            .no_gradient = no_gradient,
                            .pointwise = &logical_and_table,
                            .reference = [](const double* x) { return x[0] != 0 && x[1] != 0 ? 1.0 : 0.0; },
                            .properties = {.commutative = true},
                            .simplify = simplify_and,
                            .samples =
                                [] {
                                  return pointwise_samples(2, {{0, 1, false}});
                                }};

const OpDef logical_or_def{.name = "logical_or",
                           .inputs = {"lhs", "rhs"},
                           .rule = "logical_or needs two boolean tensors of one shape",
                           .shape = pointwise_shape,
                           .no_gradient = no_gradient,
                           .pointwise = &logical_or_table,
                           .reference = [](const double* x) { return x[0] != 0 || x[1] != 0 ? 1.0 : 0.0; },
                           .properties = {.commutative = true},
                           .simplify = simplify_or,
                           .samples =
                               [] {
                                 return pointwise_samples(2, {{0, 1, false}});
                               }};

const OpDef logical_xor_def{.name = "logical_xor",
                            .inputs = {"lhs", "rhs"},
                            .rule = "logical_xor needs two boolean tensors of one shape",
                            .shape = pointwise_shape,
                            .no_gradient = no_gradient,
                            .pointwise = &logical_xor_table,
                            .reference = [](const double* x) { return x[0] != x[1] ? 1.0 : 0.0; },
                            .properties = {.commutative = true},
                            .samples =
                                [] {
                                  return pointwise_samples(2, {{0, 1, false}});
                                }};

const OpDef logical_not_def{.name = "logical_not",
                            .inputs = {"x"},
                            .rule = "logical_not needs a boolean tensor",
                            .shape = pointwise_shape,
                            .no_gradient = no_gradient,
                            .pointwise = &logical_not_table,
                            .reference = [](const double* x) { return x[0] != 0 ? 0.0 : 1.0; },
                            .simplify = simplify_not,
                            .samples =
                                [] {
                                  return pointwise_samples(1, {{0, 1, false}});
                                }};

Tensor logical_and(const Operand& a, const Operand& b) { return pointwise(logical_and_def, {a, b}); }
Tensor logical_or(const Operand& a, const Operand& b) { return pointwise(logical_or_def, {a, b}); }
Tensor logical_xor(const Operand& a, const Operand& b) { return pointwise(logical_xor_def, {a, b}); }
Tensor logical_not(const Operand& a) { return pointwise(logical_not_def, {a}); }

}  // namespace gradloom::inline v0

#endif
