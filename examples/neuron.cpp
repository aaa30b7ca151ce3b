// One artificial neuron: it multiplies each input by a weight, adds a bias, and bends the sum with an activation
// function. Here it is computed by hand and through the library, looked at from all sides, and trained to take a
// decision.
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

namespace gl = gradloom;

namespace {

// The whole neuron, by hand: sigmoid(w0 x0 + w1 x1 + b).
double neuron_by_hand(double w0, double w1, double b, double x0, double x1) {
  return 1 / (1 + std::exp(-(w0 * x0 + w1 * x1 + b)));
}

// The same as a graph. `x` holds any number of points, one a row.
struct Neuron {
  gl::Graph graph;
  gl::Tensor x = graph.input("x", {"points", 2});
  gl::Tensor weights = graph.parameter("weights", {2, 1});
  gl::Tensor bias = graph.parameter("bias", {1});
  gl::Tensor sum = matmul(x, weights) + bias;
  gl::Tensor output = sigmoid(sum);
};

void by_hand_and_by_library() {
  const Neuron neuron;
  const gl::Program program = gl::compile({.outputs = {neuron.output}});
  gl::State state;
  state.set("weights", gl::Array::from<float>({0.8F, -0.5F}).reshaped({2, 1}));
  state.set("bias", gl::Array::from<float>({0.1F}));
  const gl::Array points = gl::Array::from<float>({0, 0, 1, 0, 0, 1, 2, -3}).reshaped({4, 2});
  const gl::Array outputs = program.run(state, {{"x", points}})[0];

  fmt::print("1. sigmoid(0.8 x0 - 0.5 x1 + 0.1)\n     x0     x1   by hand   library\n");
  for (int64_t i = 0; i < 4; ++i) {
    const double x0 = points.at<float>({i, 0}), x1 = points.at<float>({i, 1});
    fmt::print("  {:5.1f}  {:5.1f}  {:8.6f}  {:8.6f}\n", x0, x1, neuron_by_hand(0.8, -0.5, 0.1, x0, x1),
               outputs.at<float>({i, 0}));
  }
}

void roles_of_weight_and_bias() {
  gl::Graph graph;
  const gl::Tensor x = graph.input("x", {"points"}), w = graph.input("w", {}), b = graph.input("b", {});
  const gl::Program program = gl::compile({.outputs = {sigmoid(w * x + b)}});
  gl::State state;
  const auto row = [&](float weight, float bias) {
    const gl::Array xs = gl::Array::from<float>({-3, -2, -1, 0, 1, 2, 3});
    const gl::Array y =
        program.run(state, {{"x", xs}, {"w", gl::Array::scalar(weight)}, {"b", gl::Array::scalar(bias)}})[0];
    fmt::print("  {:4.1f} {:4.1f}  {:6.2f}  one half at x = {:.1f}\n", weight, bias,
               fmt::join(y.to_vector<float>(), " "), -bias / weight + 0.0F);
  };
  const char* head = "     w    b   x = -3     -2     -1      0      1      2      3\n";
  fmt::print("\n2. The weight sets how steep the step is, and its sign which way it goes:\n{}", head);
  for (const float weight : {0.5F, 1.0F, 4.0F, -4.0F}) row(weight, 0);
  fmt::print("\n3. The bias moves the step, to x = -b / w; without it the step stays at 0:\n{}", head);
  for (const float bias : {-4.0F, 0.0F, 4.0F}) row(2, bias);
}

// "Buy only if it is good and cheap": AND, learned from its four cases.
void decision(int steps) {
  Neuron neuron;
  const gl::Tensor wanted = neuron.graph.input("wanted", {"points", 1});
  const gl::Tensor loss = gl::nn::binary_cross_entropy(neuron.sum, wanted);
  const gl::Program train =
      gl::compile({.outputs = {loss}, .updates = gl::nn::gradient_descent(loss, {.learning_rate = 1})});
  const gl::Program predict = gl::compile({.outputs = {neuron.output}});

  const gl::Array cases = gl::Array::from<float>({0, 0, 0, 1, 1, 0, 1, 1}).reshaped({4, 2});
  const gl::Array answers = gl::Array::from<float>({0, 0, 0, 1}).reshaped({4, 1});
  gl::State state;
  fmt::print("\n4. Learning AND (good and cheap?) from its four cases, by gradient descent:\n");
  for (int step = 0; step <= steps; ++step) {
    const float before = train.run(state, {{"x", cases}, {"wanted", answers}})[0].item<float>();
    if (step == 0 || step == steps / 10 || step == steps) fmt::print("  step {:4}: loss {:.4f}\n", step, before);
  }
  const gl::Array learned = predict.run(state, {{"x", cases}})[0];
  for (int64_t i = 0; i < 4; ++i) {
    fmt::print("  good {:.0f}, cheap {:.0f}: {:.3f} -> {}\n", cases.at<float>({i, 0}), cases.at<float>({i, 1}),
               learned.at<float>({i, 0}), learned.at<float>({i, 0}) > 0.5F ? "buy" : "leave it");
  }
  fmt::print("  weights {:.2f}, bias {:.2f}: one input alone does not lift the sum above 0, both together do.\n",
             fmt::join(state.get("weights").to_vector<float>(), " and "), state.get("bias").item<float>());
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  CLI::App app("One artificial neuron, by hand and through the library.");
  app.add_flag("--quick", quick, "fewer steps, as a test");
  CLI11_PARSE(app, argc, argv);
  try {
    by_hand_and_by_library();
    roles_of_weight_and_bias();
    decision(quick ? 200 : 1000);
  } catch (const gl::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
