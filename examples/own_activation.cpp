// An activation function is one line of ordinary C++: it is differentiated, vectorised and fused like a built-in one.
// Two invented ones against relu and tanh, on handwritten digits.
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <string_view>

namespace gl = gradloom;

namespace {

using Activation = gl::Tensor (*)(const gl::Tensor&);

// As a paper has it (Misra, 2019), overflow and all: the compiler knows log1p(exp(x)) and keeps it and its derivative
// finite.
gl::Tensor paper(const gl::Tensor& x) { return x * tanh(log1p(exp(x))); }
// Made up for this example: x, let through by a gate that opens from 0 to 1.
gl::Tensor gate(const gl::Tensor& x) { return x * (0.5 + atan(3 * x) / 3.14159265); }
gl::Tensor with_relu(const gl::Tensor& x) { return relu(x); }
gl::Tensor with_tanh(const gl::Tensor& x) { return tanh(x); }

struct Digits {
  gl::io::ImageSet train = gl::io::load_image_set(EXAMPLE_DATA, gl::io::Split::train, "digits-");
  gl::io::ImageSet test = gl::io::load_image_set(EXAMPLE_DATA, gl::io::Split::test, "digits-");
};

struct Result {
  double accuracy, microseconds_a_step;
};

Result train(const Digits& digits, Activation activation, int epochs, uint64_t seed) {
  gl::Graph graph;
  const gl::Tensor image = graph.input("image", {"batch", 8, 8});
  const gl::Tensor label = graph.input("label", {"batch"}, gl::DType::i32);
  gl::Tensor h = reshape(image, {-1, 64});
  for (int layer = 0; layer < 2; ++layer) h = activation(gl::nn::dense(h, 64, {.weight = gl::nn::he()}));
  const gl::Tensor logits = gl::nn::dense(h, 10);
  const gl::Tensor loss = gl::nn::softmax_cross_entropy(logits, label);
  const gl::Program step = gl::compile({.outputs = {loss}, .updates = gl::nn::adam(loss, {.learning_rate = 2e-3})});
  const gl::Program test = gl::compile({.outputs = {gl::nn::accuracy(logits, label)}, .mode = gl::Mode::inference});

  gl::State state{{.seed = seed}};
  const gl::Executor& cores = gl::default_executor();
  gl::io::Loader batches({{"image", digits.train.images}, {"label", digits.train.labels}},
                         {.batch_size = 32, .seed = seed, .to_float = {{"image"}}});
  gl::io::Loader tests({{"image", digits.test.images}, {"label", digits.test.labels}},
                       {.batch_size = 360, .shuffle = false, .to_float = {{"image"}}});
  const auto begin = std::chrono::steady_clock::now();
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (const gl::Batch& batch : batches) step.run(cores, state, batch);
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return {gl::nn::evaluate(cores, state, test, tests)[0],
          1e6 * seconds / static_cast<double>(epochs * batches.batch_count())};
}

// What the compiler makes of an invented function and its derivative: explain() shows the graph after every pass, the
// memory and, last, the tasks that a run consists of.
void show_fusion() {
  gl::Graph graph;
  const gl::Tensor x = graph.input("x", {1024, 64});
  const gl::Tensor y = gate(x);
  const gl::CompileOptions options = {.outputs = {y, gl::gradient(y, x)}};
  const std::string text = gl::compile(options).explain();
  fmt::print("\nx * (0.5 + atan(3 * x) / pi) and its derivative were {} nodes; the compiler made of them\n{}\n",
             graph.node_count() - 1, text.substr(text.find("---- tasks") + 11));
}

void run(int epochs, int seeds) {
  const Digits digits;
  fmt::print("{} digits to learn, {} to test; {} epochs, mean of {} starts:\n", digits.train.labels.size(),
             digits.test.labels.size(), epochs, seeds);
  fmt::print("  activation                           test accuracy   time per step\n");
  const struct {
    std::string_view formula;
    Activation activation;
  } cases[] = {{"relu(x)", with_relu},
               {"tanh(x)", with_tanh},
               {"x * tanh(log1p(exp(x)))", paper},
               {"x * (0.5 + atan(3 * x) / pi)", gate}};
  for (const auto& [formula, activation] : cases) {
    double accuracy = 0, time = 0;
    for (int seed = 1; seed <= seeds; ++seed) {
      const Result result = train(digits, activation, epochs, static_cast<uint64_t>(seed));
      accuracy += result.accuracy / seeds;
      time += result.microseconds_a_step / seeds;
    }
    fmt::print("  {:35} {:11.2f} % {:12.0f} us\n", formula, 100 * accuracy, time);
  }
  show_fusion();
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  CLI::App app("Activation functions of your own against relu and tanh.");
  app.add_flag("--quick", quick, "fewer epochs and starts, as a test");
  CLI11_PARSE(app, argc, argv);
  try {
    run(quick ? 2 : 40, quick ? 1 : 5);
  } catch (const gl::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
