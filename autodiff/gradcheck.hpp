#pragma once

#include <gradloom/graph/function_ref.hpp>
#include <gradloom/graph/tensor.hpp>
#include <gradloom/runtime/array.hpp>

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace gradloom::inline v0 {

struct GradcheckOptions {
  /// Two derivatives a and b agree if |a - b| <= tolerance * max(1, |a|, |b|).
  double tolerance = 1e-6;
  bool second_order = true;
  /// Of the random weights that make one number out of the function's elements.
  uint64_t seed = 1;
};

struct GradcheckReport {
  bool passed = true;
  /// The largest |a - b| / max(1, |a|, |b|) seen.
  double worst = 0;
  /// Where they differ most, order by order: input, element, both derivatives. Empty if passed.
  std::string message;

  explicit operator bool() const { return passed; }
};

/// Compares gradients(), of first and second order, with central differences (f(x + h) - f(x - h)) / 2h, at the given
/// values of f's arguments. Everything is computed in f64: float points are converted; others (indices, masks) are
/// handed to f as they are and not varied. f, a function of Tensors, is called once; its elements are summed with
/// random weights of either sign, so that errors cannot cancel.
///
///     gradcheck([](auto x) { return tanh(x[0]) * x[1]; }, {Array::from<double>({0.1, 2}), Array::from<double>({-1,
///     3})})
///
/// f must be smooth within 1e-5 of the points. Throws Error if f's result is not f64 or no point is a float.
[[nodiscard]] GRADLOOM_API GradcheckReport gradcheck(FunctionRef<Tensor(std::span<const Tensor>)> f,
                                                     std::span<const Array> points,
                                                     const GradcheckOptions& options = {});
[[nodiscard]] GRADLOOM_API GradcheckReport gradcheck(FunctionRef<Tensor(std::span<const Tensor>)> f,
                                                     std::initializer_list<Array> points,
                                                     const GradcheckOptions& options = {});

}  // namespace gradloom::inline v0
