// Linear regression on real data: how many miles does a car of the seventies go on a gallon? One linear output without
// an activation, mean squared error, gradient descent.
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

namespace gl = gradloom;

namespace {

const std::vector<std::string> features = {"cylinders",    "displacement", "horsepower", "weight",
                                           "acceleration", "year",         "europe",     "japan"};

struct Model {
  gl::Graph graph;
  gl::Program train, predict;

  explicit Model(double learning_rate) {
    const auto width = static_cast<int64_t>(features.size());
    const gl::Tensor x = graph.input("x", {"cars", width}, gl::DType::f64);
    const gl::Tensor y = graph.input("y", {"cars", 1}, gl::DType::f64);
    const gl::Tensor prediction = gl::nn::dense(x, 1, {.weight = gl::nn::zeros(), .name = "mpg"});
    const gl::Tensor loss = gl::nn::mse(prediction, y);
    train =
        gl::compile({.outputs = {loss}, .updates = gl::nn::gradient_descent(loss, {.learning_rate = learning_rate})});
    // The share of the variance that is explained, and the error in miles per gallon.
    predict = gl::compile({.outputs = {1 - loss / variance(y), sqrt(loss)}});
  }
};

// Every column with mean 0 and variance 1, by the mean and variance of the rows of `of`. Without it the weight in
// pounds would drown all else, and gradient descent would need far smaller steps.
gl::Array standardised(const gl::Array& x, const gl::Array& of) {
  gl::Graph graph;
  const gl::Tensor all = graph.input("all", {"n", "width"}, gl::DType::f64);
  const gl::Tensor some = graph.input("some", {"m", "width"}, gl::DType::f64);
  const gl::ReduceOptions columns = {.axes = {0}, .keepdims = true};
  const gl::Program program = gl::compile({.outputs = {(all - mean(some, columns)) / sqrt(variance(some, columns))}});
  gl::State state;
  return program.run(state, {{"all", x}, {"some", of}})[0];
}

void run(int steps) {
  const gl::io::CsvTable cars = gl::io::read_csv(EXAMPLE_DATA "/cars.csv");
  // In a random order: the file is sorted by year, and the last years alone would be no fair test.
  const gl::Batch shuffled = gl::io::take(
      {{"x", cars.numbers(features, gl::DType::f64)}, {"y", cars.numbers({"miles_per_gallon"}, gl::DType::f64)}},
      gl::io::shuffled_order(cars.rows(), /*seed=*/1));
  const Model model(0.1);

  // All rows first: there the best that any linear model can do is known.
  gl::State state;
  const gl::Batch all = {{"x", standardised(shuffled["x"], shuffled["x"])}, {"y", shuffled["y"]}};
  fmt::print("{} cars, {} features, {} steps of gradient descent on all of them:\n", cars.rows(), features.size(),
             steps);
  for (int step = 0; step < steps; ++step) {
    const double loss = model.train.run(state, all)[0].item<double>();
    if (step == 0 || step == 10 || step == 100) fmt::print("  step {:4}: mean squared error {:.2f}\n", step, loss);
  }
  const std::vector<gl::Array> fit = model.predict.run(state, all);
  fmt::print("  R^2 {:.4f} (least squares in closed form: 0.823), error {:.2f} miles per gallon (3.28)\n\n",
             fit[0].item<double>(), fit[1].item<double>());

  fmt::print("what it learned: {:.2f} miles per gallon for the average car; one standard deviation more of\n",
             state.get("mpg/bias").item<double>());
  const std::vector<double> weights = state.get("mpg/weight").to_vector<double>();
  for (size_t i = 0; i < features.size(); ++i) fmt::print("  {:13} {:+6.2f}\n", features[i], weights[i]);

  // The same Program with another State: learn from four fifths, predict the cars it has not seen.
  const int64_t seen = cars.rows() * 4 / 5;
  const gl::Array x = standardised(shuffled["x"], shuffled["x"].rows(0, seen));
  const gl::Batch known = {{"x", x.rows(0, seen)}, {"y", shuffled["y"].rows(0, seen)}};
  const gl::Batch held_out = {{"x", x.rows(seen, cars.rows())}, {"y", shuffled["y"].rows(seen, cars.rows())}};
  gl::State fresh;
  for (int step = 0; step < steps; ++step) model.train.run(fresh, known);
  const std::vector<gl::Array> unseen = model.predict.run(fresh, held_out);
  fmt::print("\nlearned from {} of the cars, it predicts the other {} with R^2 {:.3f}, error {:.2f} miles per gallon\n",
             seen, cars.rows() - seen, unseen[0].item<double>(), unseen[1].item<double>());
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  CLI::App app("Predicts the fuel consumption of cars.");
  app.add_flag("--quick", quick, "fewer steps, as a test");
  CLI11_PARSE(app, argc, argv);
  try {
    run(quick ? 200 : 2000);
  } catch (const gl::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
