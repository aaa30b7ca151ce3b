// A variational autoencoder (Kingma and Welling, 2014): an encoder says where in a small space an image may come from,
// a random node draws a point there, and a decoder makes an image of it. In the end the decoder alone makes new images,
// of points that nobody encoded. With --out it draws them, and reconstructions beside their originals.
#include "plot.hpp"
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

namespace gl = gradloom;

namespace {

constexpr int64_t across = 12;  // images in a row of a picture

gl::io::ImageSet load(gl::io::Split split) {
  if (gl::io::has_image_set(gl::io::fashion_mnist_folder))
    return gl::io::load_image_set(gl::io::fashion_mnist_folder, split);
  return gl::io::load_image_set(EXAMPLE_DATA, split, "digits-");
}

struct Model {
  gl::Graph graph;
  gl::Program train, validate, reconstruct, generate;

  Model(int64_t pixels, int64_t hidden, int64_t code) {
    const auto relu = [](const gl::Tensor& x) { return gl::relu(x); };
    const gl::nn::Layer encode = gl::nn::sequential(
        {gl::nn::Dense(hidden, {.weight = gl::nn::he()}), relu, gl::nn::Dense(2 * code)}, {.name = "encoder"});
    const gl::nn::Layer decode = gl::nn::sequential(
        {gl::nn::Dense(hidden, {.weight = gl::nn::he()}), relu, gl::nn::Dense(pixels)}, {.name = "decoder"});

    const gl::Tensor image = reshape(graph.input("image", {"batch", "rows", "columns"}), {"batch", pixels});
    const std::vector<gl::Tensor> found = split(encode(image), 2, -1);
    const gl::Tensor &mean = found[0], &log_variance = found[1];
    // A normal number is moved and stretched: the draw has a gradient with respect to both (section 2.4 of the paper).
    const gl::Tensor z = mean + exp(0.5 * log_variance) * gl::random_normal(graph, mean.shape());
    const gl::Tensor logits = decode(z);

    // The evidence lower bound with its sign turned, per image: what the image costs, given z, and how much z says more
    // than a standard normal number would (appendix B).
    const gl::Tensor cost =
        sum(gl::nn::binary_cross_entropy(logits, image, {.reduction = gl::nn::Reduction::none}), {.axes = {-1}});
    const gl::Tensor divergence = 0.5 * sum(square(mean) + exp(log_variance) - 1 - log_variance, {.axes = {-1}});
    const gl::Tensor loss = gl::mean(cost + divergence);
    const std::vector<gl::Tensor> outputs = {loss, gl::mean(cost), gl::mean(divergence)};
    train = gl::compile({.outputs = outputs, .updates = gl::nn::adam(loss, {.learning_rate = 1e-3})});
    validate = gl::compile({.outputs = outputs});
    reconstruct = gl::compile({.outputs = {sigmoid(decode(mean))}});
    generate = gl::compile({.outputs = {sigmoid(decode(gl::random_normal(graph, {across * 8, code})))}});
    fmt::print("{}", gl::nn::summary(logits, {{"batch", 1}, {"rows", 1}, {"columns", pixels}}));
  }
};

/// Images [n, pixels] side by side as one grid of grey values from the lowest row to the highest.
std::vector<std::vector<double>> sheet(const gl::Array& images, int64_t height, int64_t width) {
  const int64_t down = images.sizes()[0] / across;
  std::vector<std::vector<double>> grid;
  for (int64_t y = 0; y < down * height; ++y) {
    std::vector<double> line;
    for (int64_t x = 0; x < across * width; ++x) {
      const int64_t image = y / height * across + x / width, pixel = y % height * width + x % width;
      line.push_back(static_cast<double>(images.at<float>({image, pixel})));
    }
    grid.push_back(std::move(line));
  }
  return grid;
}

void draw_sheet(const std::string& folder, const std::string& name, const std::vector<std::vector<double>>& grid) {
  const std::string script = example::plot_data("grid", grid) +
                             "unset key; unset tics; unset colorbox; unset border\n"
                             "set palette gray; set yrange [] reverse; set size ratio -1\n"
                             "set margins 0,0,0,0; set cbrange [0:1]\n"
                             "plot $grid matrix with image\n";
  example::draw(folder, name, static_cast<int>(grid[0].size()) * 2, static_cast<int>(grid.size()) * 2, script);
}

/// The first images of two sheets in turn: a row of originals, then a row of what became of them.
gl::Array alternating(const gl::Array& originals, const gl::Array& copies, int64_t pixels) {
  const gl::Array both({6 * across, pixels});
  for (int64_t i = 0; i < 6 * across; ++i) {
    const int64_t row = i / across, image = row / 2 * across + i % across;
    for (int64_t p = 0; p < pixels; ++p)
      both.at<float>({i, p}) = (row % 2 == 0 ? originals : copies).at<float>({image, p});
  }
  return both;
}

void run(int epochs, int64_t most, int64_t hidden, const std::string& folder) {
  gl::io::ImageSet train_set = load(gl::io::Split::train), test_set = load(gl::io::Split::test);
  train_set.images = train_set.images.rows(0, std::min(most, train_set.images.sizes()[0]));
  test_set.images = test_set.images.rows(0, std::min<int64_t>(1000, test_set.images.sizes()[0]));
  const int64_t height = train_set.images.sizes()[1], width = train_set.images.sizes()[2], pixels = height * width;
  const Model model(pixels, hidden, 16);

  gl::State state{{.seed = 1}};
  const gl::Executor& cores = gl::default_executor();
  gl::io::Loader batches({{"image", train_set.images}}, {.batch_size = 128, .seed = 1, .to_float = {{"image"}}});
  gl::io::Loader tests({{"image", test_set.images}}, {.batch_size = 1000, .shuffle = false, .to_float = {{"image"}}});
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    for (const gl::Batch& batch : batches) model.train.run(cores, state, batch);
    const std::vector<double> test = gl::nn::evaluate(cores, state, model.validate, tests);
    fmt::print("epoch {:2}  test: {:.2f} nats an image = {:.2f} for its pixels + {:.2f} for its code\n", epoch, test[0],
               test[1], test[2]);
  }
  if (folder.empty()) return;

  state.set_step(state.step() + 1);  // other random numbers than those of training
  const std::vector<gl::Array> made = model.generate.run(cores, std::as_const(state), {});
  draw_sheet(folder, "vae_samples", sheet(made[0], height, width));
  for (const gl::Batch& batch : tests) {
    const gl::Array copies = model.reconstruct.run(cores, std::as_const(state), batch)[0];
    const gl::Array originals = batch.find("image")->rows(0, 3 * across).clone().reshaped({3 * across, pixels});
    draw_sheet(folder, "vae_reconstructions", sheet(alternating(originals, copies, pixels), height, width));
    break;
  }
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  int epochs = 30;
  std::string folder;
  CLI::App app("A variational autoencoder that makes new images.");
  app.add_option("--epochs", epochs, "how often it sees every image")->check(CLI::PositiveNumber);
  app.add_option("--out", folder, "folder for the pictures");
  app.add_flag("--quick", quick, "small and short, as a test");
  CLI11_PARSE(app, argc, argv);
  try {
    run(quick ? 2 : epochs, quick ? 2000 : 60'000, quick ? 64 : 512, folder);
  } catch (const gl::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
