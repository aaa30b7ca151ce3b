// Activation functions and their derivatives, which autodiff finds, as pictures; and what becomes of the gradient when
// it has to pass through twenty of them.
#include "plot.hpp"
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

namespace gl = gradloom;

namespace {

using Function = gl::Tensor (*)(const gl::Tensor&);

// Every built-in activation by its name, and a few functions that were never meant to be one.
const std::map<std::string, Function> functions = {
    {"relu", [](const gl::Tensor& x) { return relu(x); }},
    {"leaky_relu", [](const gl::Tensor& x) { return leaky_relu(x, 0.1); }},
    {"elu", [](const gl::Tensor& x) { return elu(x); }},
    {"selu", [](const gl::Tensor& x) { return selu(x); }},
    {"gelu", [](const gl::Tensor& x) { return gelu(x); }},
    {"gelu_tanh", [](const gl::Tensor& x) { return gelu(x, gl::GeluForm::tanh); }},
    {"silu", [](const gl::Tensor& x) { return silu(x); }},
    {"mish", [](const gl::Tensor& x) { return mish(x); }},
    {"hardsigmoid", [](const gl::Tensor& x) { return hardsigmoid(x); }},
    {"hardswish", [](const gl::Tensor& x) { return hardswish(x); }},
    {"softsign", [](const gl::Tensor& x) { return softsign(x); }},
    {"softplus", [](const gl::Tensor& x) { return softplus(x); }},
    {"sigmoid", [](const gl::Tensor& x) { return sigmoid(x); }},
    {"tanh", [](const gl::Tensor& x) { return tanh(x); }},
    {"erf", [](const gl::Tensor& x) { return erf(x); }},
    {"atan", [](const gl::Tensor& x) { return atan(x); }},
    {"sin", [](const gl::Tensor& x) { return sin(x); }},
    {"exp", [](const gl::Tensor& x) { return exp(x); }},
    {"abs", [](const gl::Tensor& x) { return abs(x); }},
};

void plot_functions(const std::vector<std::string>& names, const std::string& folder) {
  std::vector<float> xs;
  for (int i = -400; i <= 400; ++i) xs.push_back(static_cast<float>(i) / 100);
  std::string script;
  fmt::print("               f(-2)    f(0)    f(2)   f'(-2)   f'(0)   f'(2)\n");
  for (const std::string& name : names) {
    gl::Graph graph;
    const gl::Tensor x = graph.input("x", {"n"});
    const gl::Tensor y = functions.at(name)(x);
    const gl::Program program = gl::compile({.outputs = {y, gl::gradient(y, x)}});  // of the sum: each x has its own
    gl::State state;
    const auto results = program.run(state, {{"x", gl::Array::from(xs, {static_cast<int64_t>(xs.size())})}});
    const std::vector<float> f = results[0].to_vector<float>(), df = results[1].to_vector<float>();
    fmt::print("  {:11} {:7.4f} {:7.4f} {:7.4f}  {:7.4f} {:7.4f} {:7.4f}\n", name, f[200], f[400], f[600], df[200],
               df[400], df[600]);
    std::vector<std::vector<double>> rows;
    for (size_t i = 0; i < xs.size(); ++i) rows.push_back({xs[i], f[i], df[i]});
    script += example::plot_data(name, rows);
  }
  script += "set multiplot layout 1,2\nset grid lc '#dddddd'; set key top left; set xrange [-4:4]; set xlabel 'x'\n";
  for (const auto& [title, column] : {std::pair{"f(x)", 2}, std::pair{"its derivative, by autodiff", 3}}) {
    script += fmt::format("set title \"{}\"; set yrange [{}]\nplot ", title, column == 2 ? "-2:4" : "-0.5:1.5");
    for (const std::string& name : names) {
      script += fmt::format("${0} using 1:{1} with lines lw 2 title '{0}' noenhanced, ", name, column);
    }
    script += "0 with lines lc '#888888' lw 0.5 notitle\n";
  }
  example::draw(folder, "activations", 1100, 460, script + "unset multiplot\n");
}

constexpr int layers = 20;
constexpr int64_t width = 64;

// The norm of the loss's gradient in the output of each layer, before the first step of training.
std::vector<float> gradient_norms(Function activation, gl::Initializer start) {
  gl::Graph graph;
  gl::Tensor h = graph.input("x", {256, width});
  const gl::Tensor target = graph.input("target", {256, width});
  std::vector<gl::Tensor> outputs, norms;
  for (int i = 0; i < layers; ++i) {
    h = activation(gl::nn::dense(h, width, {.weight = start}));
    outputs.push_back(h);
  }
  const gl::Tensor loss = gl::nn::mse(h, target);
  for (const gl::Tensor& gradient : gl::gradients(loss, outputs)) norms.push_back(norm(gradient));
  const gl::Program program = gl::compile({.outputs = {stack(norms)}});

  gl::Graph data;
  const gl::Program draw =
      gl::compile({.outputs = {random_normal(data, {256, width}), random_normal(data, {256, width})}});
  gl::State state{{.seed = 1}};
  const auto values = draw.run(state, {});
  return program.run(state, {{"x", values[0]}, {"target", values[1]}})[0].to_vector<float>();
}

void plot_vanishing(const std::string& folder) {
  // Uniform in +-1/sqrt(n) was the usual start until Glorot and Bengio (2010) showed how gradients vanish with it. What
  // vanishes depends on the weights too: each layer multiplies by weights and by a derivative.
  const double bound = 1 / std::sqrt(static_cast<double>(width));
  const struct {
    std::string title;
    Function activation;
    gl::Initializer start;
  } cases[] = {{"sigmoid, Glorot's start", functions.at("sigmoid"), gl::nn::glorot()},
               {"tanh, uniform in +-1/sqrt(n)", functions.at("tanh"), gl::nn::uniform(-bound, bound)},
               {"tanh, Glorot's start", functions.at("tanh"), gl::nn::glorot()},
               {"relu, He's start", functions.at("relu"), gl::nn::he()}};
  fmt::print("\nThe norm of the loss's gradient in a layer's output, {} layers of {} neurons:\n{:32}", layers, width,
             "");
  for (const int layer : {1, 5, 10, 15, 20}) fmt::print("  layer {:2}", layer);
  fmt::print("   first / last\n");
  std::string data, plot;
  int count = 0;
  for (const auto& [title, activation, start] : cases) {
    const std::vector<float> norms = gradient_norms(activation, start);
    fmt::print("  {:30}", title);
    for (const size_t layer : {1U, 5U, 10U, 15U, 20U}) fmt::print("  {:8.1e}", norms[layer - 1]);
    fmt::print("   {:.1e}\n", norms.front() / norms.back());
    std::vector<std::vector<double>> rows;
    for (size_t i = 0; i < norms.size(); ++i) rows.push_back({static_cast<double>(i + 1), norms[i]});
    const std::string id = fmt::format("case{}", count++);
    data += example::plot_data(id, rows);
    plot += fmt::format("{}${} using 1:2 with linespoints lw 2 pt 7 ps 0.8 title \"{}\"", plot.empty() ? "plot " : ", ",
                        id, title);
  }
  example::draw(
      folder, "vanishing_gradient", 800, 500,
      data +
          "set logscale y; set format y '10^{%L}'; set grid lc '#dddddd'; set key bottom right\n"
          "set xlabel 'layer (1 is next to the input)'; set ylabel 'norm of the gradient in its output'\n"
          "set xrange [0.5:20.5]; set yrange [1e-14:1]\nset title 'The gradient on its way back through 20 layers'\n" +
          plot + "\n");
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> names = {"relu", "tanh", "sigmoid"};
  std::string folder = ".";
  bool quick = false;
  std::vector<std::string> known;
  for (const auto& [name, function] : functions) known.push_back(name);
  CLI::App app("Plots activation functions and their derivatives, and how gradients vanish.");
  app.add_option("functions", names, "what to plot")->check(CLI::IsMember(known))->capture_default_str();
  app.add_option("--out", folder, "folder for the pictures")->check(CLI::ExistingDirectory);
  app.add_flag("--quick", quick, "accepted as by every example; this one is quick anyway");
  CLI11_PARSE(app, argc, argv);
  try {
    plot_functions(names, folder);
    plot_vanishing(folder);
  } catch (const gl::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
