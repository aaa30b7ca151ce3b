// A variational autoencoder (Kingma and Welling 2014, "Auto-encoding variational Bayes"): an encoder says where in a
// small space an image may come from, a random node draws a point there, and a decoder makes an image of it. In the end
// the decoder alone makes new images, of points that nobody encoded: vae_new.png. vae_again.png has rows of test
// images, and below each what comes back of them.
#include "plot.hpp"
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace gl = gradloom;

namespace {

struct Options {
  int epochs = 10;
  int64_t hidden = 512, code = 16;
  uint64_t seed = 1;
  int threads = 0;
  std::string data = gl::io::fashion_mnist_folder, out = ".";
  bool quick = false;
};

constexpr int64_t across = 12, down = 6;  // images in a picture

struct Model {
  gl::Graph graph;
  gl::Program train, test, again, fresh;

  Model(const Options& options, int64_t height, int64_t width) {
    const int64_t pixels = height * width;
    const auto relu = [](const gl::Tensor& x) { return gl::relu(x); };
    const gl::nn::DenseOptions he{.weight = gl::nn::he()};
    const gl::nn::Layer encode = gl::nn::sequential(
        {gl::nn::Dense(options.hidden, he), relu, gl::nn::Dense(2 * options.code)}, {.name = "encoder"});
    const gl::nn::Layer decode =
        gl::nn::sequential({gl::nn::Dense(options.hidden, he), relu, gl::nn::Dense(pixels)}, {.name = "decoder"});

    const gl::Tensor image = graph.input("image", {"batch", height, width});
    const gl::Tensor flat = reshape(image, {"batch", pixels});
    const std::vector<gl::Tensor> found = split(encode(flat), 2, -1);
    const gl::Tensor &mean = found[0], &log_variance = found[1];
    // A normal number is moved and stretched: the draw has a gradient with respect to both (section 2.4).
    const gl::Tensor z = mean + exp(0.5 * log_variance) * gl::random_normal(graph, mean.shape());
    const gl::Tensor logits = decode(z);

    // The evidence lower bound with its sign turned, per image: what the image costs, given z, and how much z says more
    // than a standard normal number would (appendix B).
    const gl::Tensor cost =
        sum(gl::nn::binary_cross_entropy(logits, flat, {.reduction = gl::nn::Reduction::none}), {.axes = {-1}});
    const gl::Tensor divergence = 0.5 * sum(square(mean) + exp(log_variance) - 1 - log_variance, {.axes = {-1}});
    const gl::Tensor loss = gl::mean(cost + divergence);
    const std::vector<gl::Tensor> outputs = {loss, gl::mean(cost), gl::mean(divergence)};
    train = gl::compile({.outputs = outputs, .updates = gl::nn::adam(loss, {.learning_rate = 1e-3})});
    test = gl::compile({.outputs = outputs});

    const auto sheet = [&](const gl::Tensor& rows) { return reshape(rows, {across * down, height, width}); };
    const auto rows = [&](const gl::Tensor& x) { return reshape(x, {down / 2, 1, across * pixels}); };
    again = gl::compile({.outputs = {sheet(gl::concat({rows(image), rows(sigmoid(decode(mean)))}, 1))}});
    fresh = gl::compile({.outputs = {sheet(sigmoid(decode(gl::random_normal(graph, {across * down, options.code}))))}});
  }
};

void run(const Options& options) {
  // Without Fashion-MNIST, handwritten digits of 8x8 pixels.
  const bool real = gl::io::has_image_set(options.data);
  const auto load = [&](gl::io::Split split, int64_t most) {
    const gl::Array images =
        gl::io::load_image_set(real ? options.data : EXAMPLE_DATA, split, real ? "" : "digits-").images;
    return gl::Batch{{"image", images.rows(0, std::min(most, images.sizes()[0]))}};
  };
  const gl::Batch train_set = load(gl::io::Split::train, options.quick ? 1024 : 60000);
  const gl::Batch test_set = load(gl::io::Split::test, options.quick ? 256 : 10000);
  const std::vector<int64_t>& sizes = train_set["image"].sizes();
  const Model model(options, sizes[1], sizes[2]);

  gl::State state{{.seed = options.seed}};
  const gl::Executor cores{{.threads = options.threads}};
  gl::io::Loader batches(train_set, {.batch_size = 128, .seed = options.seed, .to_float = {{"image"}}});
  gl::io::Loader tests(test_set, {.batch_size = 250, .shuffle = false, .to_float = {{"image"}}});
  fmt::print("{} images of {}x{} through {} random numbers\n", sizes[0], sizes[1], sizes[2], options.code);
  for (int epoch = 1; epoch <= options.epochs; ++epoch) {
    for (const gl::Batch& batch : batches) model.train.run(cores, state, batch);
    const std::vector<double> cost = gl::nn::evaluate(cores, state, model.test, tests);
    fmt::print("epoch {:2}  a test image costs {:.2f} nats: {:.2f} for its pixels, {:.2f} for its code\n", epoch,
               cost[0], cost[1], cost[2]);
  }

  const gl::Array some = (*tests.begin())["image"].rows(0, across * down / 2);
  example::draw_images(options.out, "vae_again", model.again.run(cores, std::as_const(state), {{"image", some}})[0],
                       across);
  example::draw_images(options.out, "vae_new", model.fresh.run(cores, std::as_const(state), {})[0], across);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Trains a variational autoencoder on Fashion-MNIST and draws new images.");
  app.add_option("--epochs", options.epochs, "how often it sees every image")->check(CLI::PositiveNumber);
  app.add_option("--hidden", options.hidden, "units of the hidden layers")->check(CLI::PositiveNumber);
  app.add_option("--code", options.code, "numbers that an image is squeezed through")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "of initial weights, the order of images and random numbers");
  app.add_option("--threads", options.threads, "0: one per core");
  app.add_option("--data", options.data, "folder of the gzip'd IDX files");
  app.add_option("--out", options.out, "folder of the pictures");
  app.add_flag("--quick", options.quick, "two epochs of 1,024 images with 64 hidden units, as a test");
  CLI11_PARSE(app, argc, argv);
  if (options.quick) {
    options.epochs = 2;
    options.hidden = 64;
  }
  try {
    run(options);
  } catch (const gl::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
