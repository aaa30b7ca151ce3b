// where(condition, a, b): a choice between two tensors. Exact.
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct Where {
  static constexpr bool cheap = true;
  static constexpr bool selects = true;

  template <class M, class V>
  V operator()(M condition, V a, V b) const {
    if constexpr (std::is_arithmetic_v<V>) {
      return condition ? a : b;
    } else {
      return xsimd::select(condition, a, b);
    }
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(where, Where, all_types)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/kink_gradient_internal.hpp>
#include <gradloom/ops/logic.hpp>
#include <gradloom/ops/patterns.hpp>
#include <gradloom/ops/pointwise.hpp>
#include <gradloom/ops/where.hpp>

namespace gradloom::inline v0 {

namespace {

Gradients vjp(const Vjp& v) {
  const Tensor condition = v.input(0);
  return {Gradient::none(), where(condition, v.cotangent(), 0), where(condition, 0, v.cotangent())};
}

Tensor simplify(Graph&, const Node&, std::span<const Tensor> inputs) {
  const Tensor &condition = inputs[0], &a = inputs[1], &b = inputs[2];
  if (is_uniform(condition, 1) || equal_values(a, b)) return a;
  if (is_uniform(condition, 0)) return b;
  return made_by(condition, logical_not_def) ? where(input_of(condition), b, a) : simplify_kink(condition, a, b);
}

std::vector<Sample> samples() {
  return {{.inputs = {{{7}, 0, 1, DType::boolean}, {{7}, -3, 3}, {{7}, -3, 3}}},
          {.inputs = {{{3, 5}, 0, 1, DType::boolean}, {{3, 5}, -3, 3}, {{3, 5}, -3, 3}}}};
}

}  // namespace

const OpDef where_def{.name = "where",
                      .inputs = {"condition", "a", "b"},
                      .rule = "where needs a boolean condition and two tensors of one dtype, all of one shape",
                      .shape = pointwise_shape,
                      .vjp = vjp,
                      .pointwise = &where_table,
                      .reference = [](const double* x) { return x[0] != 0 ? x[1] : x[2]; },
                      .simplify = simplify,
                      .samples = samples};

Tensor where(const Operand& condition, const Operand& a, const Operand& b) {
  return pointwise(where_def, {condition, a, b});
}

}  // namespace gradloom::inline v0

#endif
