// Whatever made a Tensor, a function of it depends on that Tensor: its value and its gradient by it are those that it
// has for the same numbers given as an input. A function that looks at what made its operand, and builds something else
// from the operand's operands, breaks this without a word.
#include "evaluate_helper.hpp"
#include <gradloom/gradloom.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>
#include <vector>

using namespace gradloom;
using test::evaluate;
using test::Values;

namespace {

struct Function {
  const char* name;
  Tensor (*make)(const Tensor& x);
};

const Shape shape{2, 4, 6, 3};

Tensor by_column(const Tensor& x) { return iota(x.graph(), {3}, 0, DType::i32) * 0.5 - 0.3; }

// From a Tensor of this shape to one of it.
const Function makers[] = {
    {"relu", [](const Tensor& x) { return relu(x); }},
    {"relu without zero", [](const Tensor& x) { return relu(x, {.derivative_at_zero = 0}); }},
    {"a bias", [](const Tensor& x) { return x + by_column(x); }},
    {"scales", [](const Tensor& x) { return by_column(x) * x; }},
    {"a number", [](const Tensor& x) { return x + 2; }},
    {"twice", [](const Tensor& x) { return x * 2; }},
    {"neg", [](const Tensor& x) { return -x; }},
    {"exp", [](const Tensor& x) { return exp(x); }},
    {"square", [](const Tensor& x) { return square(x); }},
    {"abs", [](const Tensor& x) { return abs(x); }},
    {"sigmoid", [](const Tensor& x) { return sigmoid(x); }},
    {"softmax", [](const Tensor& x) { return softmax(x); }},
    {"log_softmax", [](const Tensor& x) { return log_softmax(x); }},
    {"centred", [](const Tensor& x) { return x - mean(x, {.axes = {-1}, .keepdims = true}); }},
    {"maximum", [](const Tensor& x) { return maximum(x, 0.1); }},
    {"where", [](const Tensor& x) { return where(x > 0, x, 0); }},
    {"transpose",
     [](const Tensor& x) {
       return transpose(reshape(x, {2, 4, 3, 6}), {0, 1, 3, 2});
     }},
    {"flip", [](const Tensor& x) { return flip(x, {1}); }},
    {"pad",
     [](const Tensor& x) {
       return pad(slice(x, 1, {.start = 1}), {.low = {0, 1, 0, 0}});
     }},
    {"concat",
     [](const Tensor& x) {
       return concat({slice(x, 1, {.stop = 2}), slice(x, 1, {.start = 2})}, 1);
     }},
    {"broadcast", [](const Tensor& x) { return broadcast(sum(x, {.axes = {2}, .keepdims = true}), shape); }},
    {"cumsum", [](const Tensor& x) { return cumsum(x, {.axis = 2}); }},
    {"layer_norm", [](const Tensor& x) { return nn::layer_norm(x); }},
    {"convolution",
     [](const Tensor& x) {
       return nn::conv(x, 3, {1, 1});
     }},
    {"dense", [](const Tensor& x) { return nn::dense(x, 3); }},
};

const Function users[] = {
    {"relu", [](const Tensor& x) { return relu(x); }},
    {"a number", [](const Tensor& x) { return x + 1; }},
    {"half", [](const Tensor& x) { return x / 2; }},
    {"neg", [](const Tensor& x) { return -x; }},
    {"abs", [](const Tensor& x) { return abs(x); }},
    {"exp", [](const Tensor& x) { return exp(x); }},
    {"log", [](const Tensor& x) { return log(abs(x) + 1); }},
    {"log1p", [](const Tensor& x) { return log1p(abs(x)); }},
    {"sqrt", [](const Tensor& x) { return sqrt(abs(x) + 1); }},
    {"square", [](const Tensor& x) { return square(x); }},
    {"sigmoid", [](const Tensor& x) { return sigmoid(x); }},
    {"tanh", [](const Tensor& x) { return tanh(x); }},
    {"softplus", [](const Tensor& x) { return softplus(x); }},
    {"gelu", [](const Tensor& x) { return gelu(x); }},
    {"clamp", [](const Tensor& x) { return clamp(x, -0.5, 0.5); }},
    {"sum", [](const Tensor& x) { return sum(x, {.axes = {1}}); }},
    {"mean", [](const Tensor& x) { return mean(x, {.axes = {-1}}); }},
    {"max", [](const Tensor& x) { return max(x, {.axes = {2}}); }},
    {"variance", [](const Tensor& x) { return variance(x, {.axes = {-1}}); }},
    {"logsumexp", [](const Tensor& x) { return logsumexp(x, {.axes = {-1}}); }},
    {"softmax", [](const Tensor& x) { return softmax(x); }},
    {"log_softmax", [](const Tensor& x) { return log_softmax(x); }},
    {"transpose",
     [](const Tensor& x) {
       return transpose(x, {3, 1, 0, 2});
     }},
    {"reshape",
     [](const Tensor& x) {
       return reshape(x, {8, -1});
     }},
    {"slice", [](const Tensor& x) { return slice(x, 1, {.start = 1, .step = 2}); }},
    {"flip", [](const Tensor& x) { return flip(x, {1}); }},
    {"sort", [](const Tensor& x) { return sort(x, {.axis = 2}); }},
    {"cumsum", [](const Tensor& x) { return cumsum(x, {.axis = 1}); }},
    {"max_pool", [](const Tensor& x) { return max_pool(x, {.window = {2}}); }},
    {"adaptive_max_pool",
     [](const Tensor& x) {
       return adaptive_max_pool(x, {2, 3});
     }},
    {"average_pool", [](const Tensor& x) { return average_pool(x, {.window = {2}}); }},
    {"matmul",
     [](const Tensor& x) {
       return matmul(reshape(x, {-1, 3}), reshape(by_column(x), {3, 1}));
     }},
    {"layer_norm", [](const Tensor& x) { return nn::layer_norm(x); }},
};

Values random_values(const std::vector<int64_t>& sizes, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(-1, 1);
  int64_t count = 1;
  for (const int64_t size : sizes) count *= size;
  std::vector<double> elements(static_cast<size_t>(count));
  for (double& x : elements) x = uniform(random);
  return Values::from_doubles(DType::f64, sizes, elements);
}

bool are_close(const Values& a, const Values& b) {
  const std::vector<double> x = a.as_doubles(), y = b.as_doubles();
  return std::equal(x.begin(), x.end(), y.begin(), y.end(),
                    [](double p, double q) { return std::abs(p - q) <= 1e-9 * (1 + std::abs(q)); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(autodiff_intermediate)

BOOST_AUTO_TEST_CASE(a_function_of_a_made_tensor_is_that_of_a_given_one) {
  for (const Function& maker : makers) {
    for (const Function& user : users) {
      BOOST_TEST_CONTEXT(user.name << " of " << maker.name) {
        Graph g;
        const Tensor made = maker.make(g.input("x", shape, DType::f64)), given = g.input("given", shape, DType::f64);
        const Tensor y = user.make(made), z = user.make(given);
        const Tensor weights = g.input("weights", y.shape(), DType::f64);
        std::map<std::string, Values> inputs{{"x", random_values(shape.sizes(), 1)},
                                             {"weights", random_values(y.shape().sizes(), 2)}};
        for (const Tensor& p : g.parameters())
          inputs[p.name()] = random_values(p.shape().sizes(), 3);  // the same for both
        inputs["given"] = evaluate({made}, inputs)[0];
        const auto values =
            evaluate({y, z, gradient(sum(y * weights), made), gradient(sum(z * weights), given)}, inputs);
        BOOST_TEST(are_close(values[0], values[1]));
        BOOST_TEST(are_close(values[2], values[3]));
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
