// Newton's method against gradient descent in Rosenbrock's curved valley (Rosenbrock, 1960). The Hessian is never
// formed: a few conjugate-gradient steps solve H d = -g from products H v alone, which hvp() builds as a graph.
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace gl = gradloom;

namespace {

using Vector = std::vector<double>;

double dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// a + scale b
Vector add(const Vector& a, double scale, const Vector& b) {
  Vector result = a;
  for (size_t i = 0; i < a.size(); ++i) result[i] += scale * b[i];
  return result;
}

// f(x) = sum of 100 (x[i + 1] - x[i]^2)^2 + (1 - x[i])^2, least (0) at x = (1, ..., 1); with its derivatives.
class Rosenbrock {
 public:
  explicit Rosenbrock(int64_t n) {
    gl::Graph graph;
    const gl::Tensor x = graph.input("x", {n}, gl::DType::f64), v = graph.input("v", {n}, gl::DType::f64);
    const gl::Tensor left = slice(x, 0, {.stop = n - 1}), right = slice(x, 0, {.start = 1});
    const gl::Tensor f = sum(100 * square(right - square(left)) + square(1 - left));
    value_ = gl::compile({.outputs = {f}});
    gradient_ = gl::compile({.outputs = {gl::gradient(f, x)}});
    hessian_times_ = gl::compile({.outputs = {gl::hvp(f, x, v)}});
  }
  // The graph may go: a Program has all it needs.

  double value(const Vector& x) { return value_.run(state_, {{"x", array(x)}})[0].item<double>(); }
  Vector gradient(const Vector& x) { return gradient_.run(state_, {{"x", array(x)}})[0].to_vector<double>(); }
  Vector hessian_times(const Vector& x, const Vector& v) {
    return hessian_times_.run(state_, {{"x", array(x)}, {"v", array(v)}})[0].to_vector<double>();
  }

 private:
  static gl::Array array(const Vector& x) { return gl::Array::from(x, {static_cast<int64_t>(x.size())}); }

  gl::Program value_, gradient_, hessian_times_;
  gl::State state_;  // of nothing: there are no parameters
};

struct Result {
  int iterations = 0, products = 0;
  double value = 0, gradient_norm = 0;
};

// How far to go from x + d along p to be `radius` away from x: the positive root of |d + t p| = radius.
double to_boundary(const Vector& d, const Vector& p, double radius) {
  const double a = dot(p, p), b = dot(d, p), c = dot(d, d) - radius * radius;
  return (-b + std::sqrt(b * b - a * c)) / a;
}

// Solves H d = -g by at most n conjugate-gradient steps, not further than `radius`. Where the curvature along a step is
// negative, there is no minimum to find: it goes to the boundary. (Nocedal and Wright, Numerical Optimization, 2006,
// algorithm 7.2, by Steihaug.)
Vector newton_step(Rosenbrock& f, const Vector& x, const Vector& g, double radius, int& products) {
  Vector d(x.size(), 0.0), residual = g, p = add(d, -1, g);
  for (size_t k = 0; k < x.size(); ++k) {
    const Vector hp = f.hessian_times(x, p);
    ++products;
    const double curvature = dot(p, hp), squared = dot(residual, residual), length = squared / curvature;
    const Vector next = add(d, length, p);
    if (curvature <= 0 || dot(next, next) > radius * radius) return add(d, to_boundary(d, p, radius), p);
    d = next;
    residual = add(residual, length, hp);
    if (dot(residual, residual) < 1e-4 * dot(g, g) * std::min(1.0, dot(g, g))) break;  // the more exact, the nearer
    p = add(add(Vector(x.size(), 0.0), -1, residual), dot(residual, residual) / squared, p);
  }
  return d;
}

Result newton(Rosenbrock& f, Vector x, bool show) {
  Result result;
  double radius = 1;
  for (;; ++result.iterations) {
    const Vector g = f.gradient(x);
    result.value = f.value(x);
    result.gradient_norm = std::sqrt(dot(g, g));
    if (show) fmt::print("  {:4}: x = ({:.6f}, {:.6f}), f = {:.2e}\n", result.iterations, x[0], x[1], result.value);
    if (result.gradient_norm < 1e-8 || result.iterations == 1000) return result;
    const Vector d = newton_step(f, x, g, radius, result.products);
    // How much of the fall that the quadratic model promised came true says how far the model can be trusted.
    const double promised = -dot(g, d) - dot(d, f.hessian_times(x, d)) / 2;
    const double fall = result.value - f.value(add(x, 1, d));
    ++result.products;
    if (fall < promised / 4) radius /= 4;
    if (fall > promised * 3 / 4) radius *= 2;
    if (fall > 0) x = add(x, 1, d);
  }
}

// Goes down the gradient, halving the step until the function falls enough (Armijo), and tries a longer one next time.
Result gradient_descent(Rosenbrock& f, Vector x, int most) {
  Result result;
  double step = 1;
  for (;; ++result.iterations) {
    const Vector g = f.gradient(x);
    result.value = f.value(x);
    result.gradient_norm = std::sqrt(dot(g, g));
    if (result.gradient_norm < 1e-8 || result.iterations == most) return result;
    for (step *= 2; f.value(add(x, -step, g)) > result.value - 1e-4 * step * dot(g, g) && step > 1e-20;) step /= 2;
    x = add(x, -step, g);
  }
}

void run(int most) {
  Rosenbrock plane(2);
  fmt::print("Newton's method on the Rosenbrock function, from (-1.2, 1):\n");
  (void)newton(plane, {-1.2, 1}, true);

  fmt::print("\n   n  method            iterations  products H v         f  |gradient|\n");
  for (const int64_t n : {2, 10, 50}) {
    Rosenbrock f(n);
    const Vector start = n == 2 ? Vector{-1.2, 1} : Vector(static_cast<size_t>(n), 0.0);
    const auto print = [&](const char* method, const Result& r) {
      fmt::print("  {:2}  {:16}  {:10}  {:12}  {:8.1e}    {:8.1e}{}\n", n, method, r.iterations, r.products, r.value,
                 r.gradient_norm, r.iterations == most ? "  (given up)" : "");
    };
    print("Newton, by hvp", newton(f, start, false));
    print("gradient descent", gradient_descent(f, start, most));
  }
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  CLI::App app("Newton's method with Hessian-vector products.");
  app.add_flag("--quick", quick, "gives up sooner, as a test");
  CLI11_PARSE(app, argc, argv);
  try {
    run(quick ? 1000 : 50000);
  } catch (const gl::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
