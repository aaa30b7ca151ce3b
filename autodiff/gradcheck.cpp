#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/autodiff/gradients_internal.hpp>
#include <gradloom/graph/error.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/runtime/interpreter_internal.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace gradloom::inline v0 {

namespace {

// splitmix64 (Steele, Lea, Flood 2014): weights of either sign, none near 0.
class Weights {
 public:
  explicit Weights(uint64_t seed) : state_(seed) {}

  Tensor like(const Tensor& tensor) {
    const std::vector<int64_t> sizes = tensor.shape().sizes();
    std::vector<double> values(static_cast<size_t>(tensor.shape().element_count().value()));
    std::generate(values.begin(), values.end(), [&] { return next(); });
    return constant(tensor.graph(), DType::f64, sizes, std::as_bytes(std::span(values)), {});
  }

 private:
  double next() {
    uint64_t bits = state_ += 0x9E3779B97F4A7C15u;
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9u;
    bits = (bits ^ (bits >> 27)) * 0x94D049BB133111EBu;
    bits ^= bits >> 31;
    const double magnitude = 0.5 + static_cast<double>(bits >> 11) * 0x1p-53;  // [0.5, 1.5)
    return (bits & 1) != 0 ? magnitude : -magnitude;
  }

  uint64_t state_;
};

Array as_f64(const Array& array) {
  if (array.dtype() != DType::f32) return array.clone();
  const std::vector<float> values = array.to_vector<float>();
  return Array::from(std::span<const double>(std::vector<double>(values.begin(), values.end())), array.sizes());
}

std::string index_of(int64_t element, const std::vector<int64_t>& sizes) {
  std::vector<int64_t> index(sizes.size());
  for (size_t axis = sizes.size(); axis-- > 0; element /= sizes[axis]) index[axis] = element % sizes[axis];
  return fmt::format("[{}]", fmt::join(index, ", "));
}

class Check {
 public:
  Check(std::span<const Array> points, const GradcheckOptions& options) : options_(options) {
    for (const Array& point : points) {
      const std::string name = fmt::format("argument_{}", arguments_.size());
      points_.push_back(as_f64(point));
      arguments_.push_back(graph_.input(name, Shape(std::span(point.sizes())), points_.back().dtype()));
      given_.set(name, points_.back());  // shares the data, which central_difference() varies
      if (points_.back().dtype() == DType::f64) varied_.push_back(arguments_.size() - 1);
    }
    if (varied_.empty()) throw Error({.problem = "no point is a float array", .op = "gradcheck"});
  }

  GradcheckReport run(FunctionRef<Tensor(std::span<const Tensor>)> f) {
    const Tensor y = f(arguments_);
    if (!y.valid() || &y.graph() != &graph_ || y.dtype() != DType::f64) {
      throw Error({.problem = "the function's result is no f64 Tensor made of its arguments",
                   .op = "gradcheck",
                   .rule = "everything is computed in f64: a cast inside the function has no central differences"});
    }
    std::vector<Tensor> xs;
    for (const size_t i : varied_) xs.push_back(arguments_[i]);
    Weights weights(options_.seed);

    const Tensor y_weights = weights.like(y);
    const std::vector<Tensor> first = gradients(y, xs, y_weights, CutPaths::refuse);
    compare("first", {&y, 1}, {&y_weights, 1}, first);
    if (options_.second_order) {
      std::vector<Tensor> first_weights;
      for (const Tensor& gradient : first) first_weights.push_back(weights.like(gradient));
      compare("second", first, first_weights, weighted_gradients(first, first_weights, xs, {}));
    }
    return report_;
  }

 private:
  std::vector<Array> values_of(std::span<const Tensor> tensors) const {
    return interpret(tensors, given_, supported_isas().back());
  }

  double weighted_sum(std::span<const Tensor> tensors, std::span<const Array> weights) const {
    const std::vector<Array> values = values_of(tensors);
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const std::span<const double> value = values[i].data<const double>(), weight = weights[i].data<const double>();
      for (size_t j = 0; j < value.size(); ++j) sum += value[j] * weight[j];
    }
    return sum;
  }

  /// How the weighted sum changes with one element. The cube root of epsilon balances the error of the formula, h^2,
  /// with that of rounding, epsilon / h.
  double central_difference(std::span<const Tensor> tensors, std::span<const Array> weights, double& element) const {
    static const double step = std::cbrt(std::numeric_limits<double>::epsilon());
    const double at = element;
    const double h = step * std::max(1.0, std::abs(at));
    const double above = at + h, below = at - h;  // h as rounded
    element = above;
    const double upper = weighted_sum(tensors, weights);
    element = below;
    const double lower = weighted_sum(tensors, weights);
    element = at;
    return (upper - lower) / (above - below);
  }

  /// The derivatives of <tensors, weights> by the varied arguments, against differences.
  void compare(std::string_view order, std::span<const Tensor> tensors, std::span<const Tensor> weights,
               std::span<const Tensor> derivatives) {
    const std::vector<Array> weight_values = values_of(weights), analytic = values_of(derivatives);
    double worst = -1;
    std::string where;
    for (size_t i = 0; i < varied_.size(); ++i) {
      const std::span<double> elements = points_[varied_[i]].data<double>();
      for (size_t j = 0; j < elements.size(); ++j) {
        const double a = analytic[i].data<const double>()[j];
        const double b = central_difference(tensors, weight_values, elements[j]);
        double error = std::abs(a - b) / std::max({1.0, std::abs(a), std::abs(b)});
        if (!(error >= 0)) error = std::numeric_limits<double>::infinity();  // a nan, or two infinities
        if (error <= worst) continue;
        worst = error;
        where = fmt::format("{} order, argument {}, element {}: the gradient is {:.9g}, the central difference {:.9g}",
                            order, varied_[i], index_of(static_cast<int64_t>(j), points_[varied_[i]].sizes()), a, b);
      }
    }
    report_.worst = std::max(report_.worst, worst);
    if (worst <= options_.tolerance) return;
    report_.passed = false;
    report_.message += (report_.message.empty() ? "" : "\n") + where;
  }

  const GradcheckOptions& options_;
  Graph graph_;
  std::vector<Tensor> arguments_;
  std::vector<Array> points_;
  Batch given_;
  std::vector<size_t> varied_;  // the arguments that are floats
  GradcheckReport report_;
};

}  // namespace

GradcheckReport gradcheck(FunctionRef<Tensor(std::span<const Tensor>)> f, std::span<const Array> points,
                          const GradcheckOptions& options) {
  return Check(points, options).run(f);
}

GradcheckReport gradcheck(FunctionRef<Tensor(std::span<const Tensor>)> f, std::initializer_list<Array> points,
                          const GradcheckOptions& options) {
  return gradcheck(f, std::span<const Array>(points.begin(), points.size()), options);
}

}  // namespace gradloom::inline v0
