// Parameters that are stored as bf16 and trained: with what rounding leaves of them, they follow those of f32.
#include "message_helper.hpp"
#include <gradloom/graph/builtin_ops.hpp>
#include <gradloom/nn/gradloom.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

using namespace gradloom;
using test::message_of;

namespace {

using Optimizer = std::function<std::vector<Update>(const Tensor& loss)>;

struct Case {
  const char* name;
  Optimizer updates;
};

// Each moves a parameter by about 1/2000 in a step, a sixteenth of what the last bit of bf16 is at 1.
const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"gradient_descent", [](const Tensor& loss) { return nn::gradient_descent(loss, {.learning_rate = 5e-4}); }},
      {"weight decay",
       [](const Tensor& loss) { return nn::gradient_descent(loss, {.learning_rate = 5e-4, .weight_decay = 0.1}); }},
      {"momentum", [](const Tensor& loss) { return nn::momentum(loss, {.learning_rate = 1e-4, .momentum = 0.8}); }},
      {"nesterov", [](const Tensor& loss) { return nn::nesterov(loss, {.learning_rate = 1e-4, .momentum = 0.8}); }},
      {"rmsprop", [](const Tensor& loss) { return nn::rmsprop(loss, {.learning_rate = 5e-4}); }},
      {"adagrad", [](const Tensor& loss) { return nn::adagrad(loss, {.learning_rate = 5e-3}); }},
      {"adam", [](const Tensor& loss) { return nn::adam(loss, {.learning_rate = 5e-4}); }},
      {"adamw", [](const Tensor& loss) { return nn::adamw(loss, {.learning_rate = 5e-4, .weight_decay = 0.1}); }},
      {"adadelta", [](const Tensor& loss) { return nn::adadelta(loss, {.learning_rate = 0.1}); }},
      {"adamax", [](const Tensor& loss) { return nn::adamax(loss, {.learning_rate = 5e-4}); }},
      {"nadam", [](const Tensor& loss) { return nn::nadam(loss, {.learning_rate = 5e-4}); }},
      {"radam", [](const Tensor& loss) { return nn::radam(loss, {.learning_rate = 1e-3}); }},
      {"lion", [](const Tensor& loss) { return nn::lion(loss, {.learning_rate = 5e-4}); }},
      {"lamb", [](const Tensor& loss) { return nn::lamb(loss, {.learning_rate = 5e-4}); }},
      {"adafactor", [](const Tensor& loss) { return nn::adafactor(loss, {.learning_rate = 5e-4}); }},
      {"accumulated",
       [](const Tensor& loss) { return nn::gradient_descent(loss, {.learning_rate = 2e-3, .accumulate = 4}); }},
      {"clipped",
       [](const Tensor& loss) { return nn::gradient_descent(loss, {.learning_rate = 1e-2, .clip_value = 0.05}); }}};
  return all;
}

/// The parameter "w" after so many steps of a loss whose gradient is the same everywhere; of bf16, with its rest.
std::vector<double> trained(const Case& c, DType dtype, int steps) {
  Graph g;
  const Tensor w = g.parameter("w", {2, 3}, nn::constant(1), {.dtype = dtype});
  const Tensor loss = sum(w * g.input("slope", {2, 3}));
  const std::vector<Update> updates = c.updates(loss);
  const Program step = compile({.outputs = {loss}, .updates = updates});
  State state;
  const Batch inputs{{"slope", Array::from(std::vector<float>{1, -1, 0.7F, -0.6F, 0.9F, 0.8F}, {2, 3})}};
  for (int i = 0; i < steps; ++i) (void)step.run(state, inputs);
  std::vector<double> values;
  const Array last = state.get("w");
  if (dtype == DType::f32) {
    for (const float x : last.data<const float>()) values.push_back(static_cast<double>(x));
    return values;
  }
  for (const BFloat16 x : last.data<const BFloat16>()) values.push_back(static_cast<double>(x));
  for (const Update& update : updates) {
    const std::string& name = update.parameter.node().name;
    if (!name.ends_with("w/rest")) continue;
    const Array rest = state.get(name);
    for (size_t i = 0; i < values.size(); ++i) values[i] += static_cast<double>(rest.data<const BFloat16>()[i]);
  }
  return values;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nn_bf16_parameters)

BOOST_AUTO_TEST_CASE(every_optimizer_keeps_what_rounding_leaves) {
  constexpr int steps = 100;
  for (const Case& c : cases()) {
    BOOST_TEST_CONTEXT(c.name) {
      const std::vector<double> wide = trained(c, DType::f32, steps), narrow = trained(c, DType::bf16, steps);
      for (size_t i = 0; i < wide.size(); ++i) {
        const double moved = std::abs(wide[i] - 1);
        BOOST_TEST(moved > 0.01);
        // The rest itself is rounded by up to 2^-18 in a step.
        BOOST_TEST(std::abs(narrow[i] - wide[i]) < 0.01 * moved);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(groups_and_exclusions_know_the_parameter) {
  Graph g;
  const ParameterOptions stored{.dtype = DType::bf16};
  const Tensor a = g.parameter("a", {2}, nn::constant(1), stored), b = g.parameter("b", {2}, nn::constant(1), stored),
               frozen = g.parameter("frozen", {2}, nn::constant(1), stored);
  const Tensor loss = sum(a * 0.0 + b * 0.0 + frozen);
  const std::vector<Update> updates = nn::adamw(loss, {.learning_rate = 0.1,
                                                       .weight_decay = 0.1,
                                                       .without_decay = {b},
                                                       .groups = {{.parameters = {frozen}, .learning_rate = 0}}});
  State state;
  const Program step = compile({.outputs = {loss}, .updates = updates});
  for (int i = 0; i < 20; ++i) (void)step.run(state, {});
  const auto first = [&](const char* name) { return static_cast<float>(state.get(name).to_vector<BFloat16>()[0]); };
  BOOST_TEST(first("a") < 0.9F);
  BOOST_TEST(first("b") == 1.0F);
  BOOST_TEST(first("frozen") == 1.0F);
}

BOOST_AUTO_TEST_CASE(a_network_of_bf16_learns_and_is_averaged) {
  Graph g;
  const Tensor x = g.input("x", {64, 8}), y = g.input("y", {64, 1});
  const nn::DenseOptions stored{.storage = DType::bf16};
  const Tensor loss = nn::mse(nn::dense(tanh(nn::dense(x, 32, stored)), 1, stored), y);
  const nn::WeightAverage average =
      nn::exponential_moving_average(nn::adam(loss, {.learning_rate = 3e-3}), {.decay = 0.9});
  State state;
  Array points({64, 8}), targets({64, 1});
  for (int64_t i = 0; i < 64; ++i) {
    for (int64_t j = 0; j < 8; ++j) points.at<float>({i, j}) = std::sin(static_cast<float>(i * 8 + j));
    targets.at<float>({i, 0}) = points.at<float>({i, 0}) - points.at<float>({i, 3}) * points.at<float>({i, 5});
  }
  const Batch inputs{{"x", points}, {"y", targets}};
  for (const DType storage : {DType::f32, DType::bf16}) {
    State fresh;
    const Program step = compile({.outputs = {loss}, .updates = average.updates, .storage = storage});
    for (int i = 0; i < 400; ++i) (void)step.run(fresh, inputs);
    state = fresh;
    BOOST_TEST(step.run(state, inputs)[0].item<float>() < 0.02F);
    BOOST_TEST((state.get("dense_1/weight").dtype() == DType::bf16));
    BOOST_TEST((state.get("dense_1/bias").dtype() == DType::f32));
  }
  const State averaged = average.averaged(state);
  BOOST_TEST((averaged.get("dense_1/weight").dtype() == DType::bf16));
  State used = averaged;
  BOOST_TEST(compile({.outputs = {loss}}).run(used, inputs)[0].item<float>() < 0.02F);
}

BOOST_AUTO_TEST_CASE(mistakes_are_told) {
  Graph g;
  const Tensor w = g.parameter("w", {2}, nn::zeros(), {.dtype = DType::bf16});
  BOOST_TEST(message_of([&] { (void)nn::Lbfgs(sum(w * w)); }).find("lbfgs: \"w\" is bf16\n") != std::string::npos);
  BOOST_TEST(message_of([&] { (void)nn::Dense(3, {.storage = DType::f64}); }).find("dense: storage is f64\n") !=
             std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
