#include "expression.hpp"

#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/erf.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/hyperbolic.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/relu.hpp>
#include <gradloom/ops/sigmoid.hpp>
#include <gradloom/ops/sign.hpp>
#include <gradloom/ops/trigonometric.hpp>

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <string_view>

namespace bench {

namespace {

using gl::Tensor;

/// An op of a and perhaps b and a number c. In the C++ texts {a}, {b}, {c} stand for these, {y} for the result and {d}
/// for the gradient that comes in.
struct Kind {
  std::string_view formula;
  bool binary;
  double (*bound)(double a, double b, double c);  // of |result|, from those of the operands
  Tensor (*build)(const Tensor& a, const Tensor& b, double c);
  std::string_view value, da, db = "";
};

const Kind kinds[] = {
    {"({a} + {b})", true, [](double a, double b, double) { return a + b; },
     [](const Tensor& a, const Tensor& b, double) { return a + b; }, "{a} + {b}", "{d}", "{d}"},
    {"({a} * {b})", true, [](double a, double b, double) { return a * b; },
     [](const Tensor& a, const Tensor& b, double) { return a * b; }, "{a} * {b}", "{d} * {b}", "{d} * {a}"},
    {"max({a}, {b})", true, [](double a, double b, double) { return std::max(a, b); },
     [](const Tensor& a, const Tensor& b, double) { return gl::maximum(a, b); }, "xsimd::max({a}, {b})",
     "xsimd::select({a} > {b}, {d}, V(0))", "xsimd::select({a} > {b}, V(0), {d})"},
    {"{c} * {a}", false, [](double a, double, double c) { return a * c; },
     [](const Tensor& a, const Tensor&, double c) { return a * c; }, "{a} * V({c}f)", "{d} * V({c}f)"},
    {"({a} + {c})", false, [](double a, double, double c) { return a + c; },
     [](const Tensor& a, const Tensor&, double c) { return a + c; }, "{a} + V({c}f)", "{d}"},
    {"square({a})", false, [](double a, double, double) { return a * a; },
     [](const Tensor& a, const Tensor&, double) { return gl::square(a); }, "{a} * {a}", "({d} + {d}) * {a}"},
    {"abs({a})", false, [](double a, double, double) { return a; },
     [](const Tensor& a, const Tensor&, double) { return gl::abs(a); }, "xsimd::abs({a})",
     "xsimd::select({a} > V(0), {d}, -{d})"},
    {"relu({a})", false, [](double a, double, double) { return a; },
     [](const Tensor& a, const Tensor&, double) { return gl::relu(a); }, "xsimd::max({a}, V(0))",
     "xsimd::select({a} > V(0), {d}, V(0))"},
    {"exp({a})", false, [](double a, double, double) { return std::exp(a); },
     [](const Tensor& a, const Tensor&, double) { return gl::exp(a); }, "xsimd::exp({a})", "{d} * {y}"},
    {"tanh({a})", false, [](double, double, double) { return 1.0; },
     [](const Tensor& a, const Tensor&, double) { return gl::tanh(a); }, "xsimd::tanh({a})",
     "{d} * (V(1) - {y} * {y})"},
    {"sigmoid({a})", false, [](double, double, double) { return 1.0; },
     [](const Tensor& a, const Tensor&, double) { return gl::sigmoid(a); }, "V(1) / (V(1) + xsimd::exp(-{a}))",
     "{d} * {y} * (V(1) - {y})"},
    {"softplus({a})", false, [](double a, double, double) { return a + 1; },
     [](const Tensor& a, const Tensor&, double) { return gl::softplus(a); },
     "xsimd::max({a}, V(0)) + xsimd::log1p(xsimd::exp(-xsimd::abs({a})))", "{d} / (V(1) + xsimd::exp(-{a}))"},
    {"sin({a})", false, [](double, double, double) { return 1.0; },
     [](const Tensor& a, const Tensor&, double) { return gl::sin(a); }, "xsimd::sin({a})", "{d} * xsimd::cos({a})"},
    {"erf({a})", false, [](double, double, double) { return 1.0; },
     [](const Tensor& a, const Tensor&, double) { return gl::erf(a); }, "xsimd::erf({a})",
     "{d} * V(1.12837917f) * xsimd::exp(-({a} * {a}))"},
};

}  // namespace

Expression::Expression(peers::Rng& random) {
  const int wanted = 4 + static_cast<int>(random.below(9));
  std::vector<double> bounds{6};
  while (size() < wanted) {
    const int last = size();
    const Step step{static_cast<int>(random.below(std::size(kinds))), last,
                    last == 0 ? 0 : static_cast<int>(random.below(static_cast<uint32_t>(last))),
                    std::round(static_cast<double>(random.between(0.25F, 2)) * 64) / 64};
    const double bound =
        kinds[step.kind].bound(bounds[static_cast<size_t>(step.a)], bounds[static_cast<size_t>(step.b)], step.c);
    if (bound > 1000) continue;
    steps_.push_back(step);
    bounds.push_back(bound);
  }
}

std::string Expression::text() const {
  std::vector<std::string> values{"x"};
  for (const Step& step : steps_) {
    values.push_back(fmt::format(fmt::runtime(kinds[step.kind].formula),
                                 fmt::arg("a", values[static_cast<size_t>(step.a)]),
                                 fmt::arg("b", values[static_cast<size_t>(step.b)]), fmt::arg("c", step.c)));
  }
  return values.back();
}

Tensor Expression::operator()(const Tensor& x) const {
  std::vector<Tensor> values{x};
  for (const Step& step : steps_) {
    values.push_back(
        kinds[step.kind].build(values[static_cast<size_t>(step.a)], values[static_cast<size_t>(step.b)], step.c));
  }
  return values.back();
}

std::string Expression::source() const {
  const auto fill = [](std::string_view text, const Step& step, size_t result) {
    return fmt::format(fmt::runtime(text), fmt::arg("a", fmt::format("v{}", step.a)),
                       fmt::arg("b", fmt::format("v{}", step.b)), fmt::arg("c", fmt::format("{:.6f}", step.c)),
                       fmt::arg("y", fmt::format("v{}", result)), fmt::arg("d", fmt::format("d{}", result)));
  };
  std::string values = "    const V v0 = V::load_unaligned(x + i);\n";
  for (size_t k = 1; k <= steps_.size(); ++k) {
    const Step& step = steps_[k - 1];
    values += fmt::format("    const V v{} = {};\n", k, fill(kinds[step.kind].value, step, k));
  }

  // Reverse order; a value's gradient is complete when all that use it are behind.
  std::vector<std::string> gradients(steps_.size() + 1);
  gradients.back() = "V::load_unaligned(dy + i)";
  std::string back;
  for (size_t k = steps_.size(); k > 0; --k) {
    const Step& step = steps_[k - 1];
    const Kind& kind = kinds[step.kind];
    back += fmt::format("    const V d{} = {};\n", k, gradients[k]);
    const auto add = [&](int operand, std::string_view text) {
      std::string& sum = gradients[static_cast<size_t>(operand)];
      sum += (sum.empty() ? "" : " + ") + fill(text, step, k);
    };
    add(step.a, kind.da);
    if (kind.binary) add(step.b, kind.db);
  }
  const auto loop = [](std::string_view signature, const std::string& body, const std::string& store) {
    return fmt::format(
        "extern \"C\" void {} {{\n  for (long i = 0; i < n; i += long(V::size)) {{\n{}    {}\n  }}\n}}\n", signature,
        body, store);
  };
  return "#include <xsimd/xsimd.hpp>\n\nusing V = xsimd::batch<float>;\n\n" +
         loop("forward(const float* x, float* y, long n)", values,
              fmt::format("v{}.store_unaligned(y + i);", steps_.size())) +
         "\n" +
         loop("backward(const float* x, const float* dy, float* dx, long n)", values + back,
              fmt::format("({}).store_unaligned(dx + i);", gradients[0]));
}

}  // namespace bench
