// Comparisons: exact. nan compares false with everything, but for not_equal (IEEE 754).
#include <gradloom/ops/pointwise_internal.hpp>

#ifdef GRADLOOM_KERNEL_ISA

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

struct Equal {
  static constexpr bool cheap = true;

  template <class V>
  auto operator()(V a, V b) const {
    return a == b;
  }
};
struct NotEqual {
  static constexpr bool cheap = true;

  template <class V>
  auto operator()(V a, V b) const {
    return !(a == b);  // xsimd 8.1 has nan != nan false on AVX
  }
};
struct Less {
  static constexpr bool cheap = true;

  template <class V>
  auto operator()(V a, V b) const {
    return a < b;
  }
};
struct LessEqual {
  static constexpr bool cheap = true;

  template <class V>
  auto operator()(V a, V b) const {
    return a <= b;
  }
};
struct Greater {
  static constexpr bool cheap = true;

  template <class V>
  auto operator()(V a, V b) const {
    return a > b;
  }
};
struct GreaterEqual {
  static constexpr bool cheap = true;

  template <class V>
  auto operator()(V a, V b) const {
    return a >= b;
  }
};

}  // namespace
}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#endif

GRADLOOM_POINTWISE(equal, Equal, all_types)
GRADLOOM_POINTWISE(not_equal, NotEqual, all_types)
GRADLOOM_POINTWISE(less, Less, all_types)
GRADLOOM_POINTWISE(less_equal, LessEqual, all_types)
GRADLOOM_POINTWISE(greater, Greater, all_types)
GRADLOOM_POINTWISE(greater_equal, GreaterEqual, all_types)

#ifndef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/pointwise.hpp>

namespace gradloom::inline v0 {

namespace {
constexpr std::string_view no_gradient = "its result is boolean";
}

const OpDef equal_def{.name = "equal",
                      .inputs = {"lhs", "rhs"},
                      .rule = "equal needs two tensors of one dtype and shape",
                      .shape = pointwise_compare_shape,
                      .no_gradient = no_gradient,
                      .pointwise = &equal_table,
                      .reference = [](const double* x) { return x[0] == x[1] ? 1.0 : 0.0; },
                      .properties = {.commutative = true},
                      .samples =
                          [] {
                            return pointwise_samples(2, {{-3, 3, false}});
                          }};

const OpDef not_equal_def{.name = "not_equal",
                          .inputs = {"lhs", "rhs"},
                          .rule = "not_equal needs two tensors of one dtype and shape",
                          .shape = pointwise_compare_shape,
                          .no_gradient = no_gradient,
                          .pointwise = &not_equal_table,
                          .reference = [](const double* x) { return x[0] != x[1] ? 1.0 : 0.0; },
                          .properties = {.commutative = true},
                          .samples =
                              [] {
                                return pointwise_samples(2, {{-3, 3, false}});
                              }};

const OpDef less_def{.name = "less",
                     .inputs = {"lhs", "rhs"},
                     .rule = "less needs two tensors of one dtype and shape",
                     .shape = pointwise_compare_shape,
                     .no_gradient = no_gradient,
                     .pointwise = &less_table,
                     .reference = [](const double* x) { return x[0] < x[1] ? 1.0 : 0.0; },
                     .samples =
                         [] {
                           return pointwise_samples(2, {{-3, 3, false}});
                         }};

const OpDef less_equal_def{.name = "less_equal",
                           .inputs = {"lhs", "rhs"},
                           .rule = "less_equal needs two tensors of one dtype and shape",
                           .shape = pointwise_compare_shape,
                           .no_gradient = no_gradient,
                           .pointwise = &less_equal_table,
                           .reference = [](const double* x) { return x[0] <= x[1] ? 1.0 : 0.0; },
                           .samples =
                               [] {
                                 return pointwise_samples(2, {{-3, 3, false}});
                               }};

const OpDef greater_def{.name = "greater",
                        .inputs = {"lhs", "rhs"},
                        .rule = "greater needs two tensors of one dtype and shape",
                        .shape = pointwise_compare_shape,
                        .no_gradient = no_gradient,
                        .pointwise = &greater_table,
                        .reference = [](const double* x) { return x[0] > x[1] ? 1.0 : 0.0; },
                        .samples =
                            [] {
                              return pointwise_samples(2, {{-3, 3, false}});
                            }};

const OpDef greater_equal_def{.name = "greater_equal",
                              .inputs = {"lhs", "rhs"},
                              .rule = "greater_equal needs two tensors of one dtype and shape",
                              .shape = pointwise_compare_shape,
                              .no_gradient = no_gradient,
                              .pointwise = &greater_equal_table,
                              .reference = [](const double* x) { return x[0] >= x[1] ? 1.0 : 0.0; },
                              .samples =
                                  [] {
                                    return pointwise_samples(2, {{-3, 3, false}});
                                  }};

Tensor equal(const Operand& a, const Operand& b) { return pointwise(equal_def, {a, b}); }
Tensor not_equal(const Operand& a, const Operand& b) { return pointwise(not_equal_def, {a, b}); }
Tensor less(const Operand& a, const Operand& b) { return pointwise(less_def, {a, b}); }
Tensor less_equal(const Operand& a, const Operand& b) { return pointwise(less_equal_def, {a, b}); }
Tensor greater(const Operand& a, const Operand& b) { return pointwise(greater_def, {a, b}); }
Tensor greater_equal(const Operand& a, const Operand& b) { return pointwise(greater_equal_def, {a, b}); }
Tensor operator<(const Operand& a, const Operand& b) { return less(a, b); }
Tensor operator<=(const Operand& a, const Operand& b) { return less_equal(a, b); }
Tensor operator>(const Operand& a, const Operand& b) { return greater(a, b); }
Tensor operator>=(const Operand& a, const Operand& b) { return greater_equal(a, b); }

}  // namespace gradloom::inline v0

#endif
