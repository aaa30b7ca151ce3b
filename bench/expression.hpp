// Activations nobody has thought of: expressions of one variable, drawn from a seed. One can be had as nodes of a
// graph, and as the C++ source of the loops that somebody would write for it by hand.
#pragma once

#include "peers/peer_data.hpp"
#include <gradloom/graph/tensor.hpp>

#include <string>
#include <vector>

namespace bench {

namespace gl = gradloom;

class Expression {
 public:
  /// Draws 4 to 12 ops, each on the result of the one before; the second operand of those that have two is any earlier
  /// result. What could exceed 1000 for |x| <= 6 is not drawn.
  explicit Expression(peers::Rng& random);

  [[nodiscard]] int size() const { return static_cast<int>(steps_.size()); }
  /// As a formula.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] gl::Tensor operator()(const gl::Tensor& x) const;
  /// Two functions over vectors of xsimd, compiled for whatever the compiler is told:
  ///   void forward(const float* x, float* y, long n), void backward(const float* x, const float* dy, float* dx, long
  ///   n)
  [[nodiscard]] std::string source() const;

 private:
  struct Step {
    int kind;  // index of the table in expression.cpp
    int a, b;  // operands: 0 is x, k the result of step k
    double c;
  };
  std::vector<Step> steps_;
};

}  // namespace bench
