// Trains a network on the 60,000 images of Fashion-MNIST and shows what it learned: the accuracy on the test images
// after every epoch, which classes it takes for which, and a few images it got wrong. `./dev demo` runs this.
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace gl = gradloom;

namespace {

struct Options {
  int epochs = 12;
  int64_t batch = 128;
  double learning_rate = 1.5e-3;
  uint64_t seed = 1;
  int threads = 0;
  std::string data;
  std::string save = "fashion_mnist.safetensors";
  bool quick = false;
};

struct Data {
  gl::io::ImageSet train, test;
  std::vector<std::string> classes;
  bool real_fashion = true;
};

Data load(const Options& options) {
  Data data;
  const std::string folder = options.data.empty() ? gl::io::fashion_mnist_folder : options.data;
  std::string prefix;
  if (gl::io::has_image_set(folder)) {
    data.train = gl::io::load_image_set(folder, gl::io::Split::train);
    data.test = gl::io::load_image_set(folder, gl::io::Split::test);
    data.classes.assign(std::begin(gl::io::fashion_mnist_classes), std::end(gl::io::fashion_mnist_classes));
  } else {
    fmt::print(
        "No Fashion-MNIST in {} (Debian's package dataset-fashion-mnist brings it).\n"
        "Training on handwritten digits instead: 1,797 real images of 8x8 pixels, kept in examples/data.\n",
        folder);
    data.real_fashion = false;
    data.train = gl::io::load_image_set(EXAMPLE_DATA, gl::io::Split::train, "digits-");
    data.test = gl::io::load_image_set(EXAMPLE_DATA, gl::io::Split::test, "digits-");
    for (int digit = 0; digit < 10; ++digit) data.classes.push_back(std::to_string(digit));
  }
  if (options.quick) {
    const auto first = [](gl::io::ImageSet& set, int64_t count) {
      const int64_t n = std::min(count, set.labels.sizes()[0]);
      set = {set.images.rows(0, n), set.labels.rows(0, n)};
    };
    first(data.train, 6000);
    first(data.test, 1000);
  }
  return data;
}

// The network and the two Programs made of it.
struct Network {
  gl::Graph graph;
  gl::Program train, predict;

  Network(int64_t rows, int64_t columns, int64_t classes, const gl::nn::Schedule& learning_rate) {
    const gl::Tensor image = graph.input("image", {"batch", rows, columns});
    const gl::Tensor label = graph.input("label", {"batch"}, gl::DType::i32);
    gl::Tensor h = reshape(image, {-1, rows * columns});
    for (const int64_t units : {512, 256}) h = dropout(relu(gl::nn::dense(h, units, {.weight = gl::nn::he()})), 0.2);
    const gl::Tensor logits = gl::nn::dense(h, classes);
    const gl::Tensor loss = gl::nn::softmax_cross_entropy(logits, label);
    train = gl::compile({.outputs = {loss, gl::nn::accuracy(logits, label)},
                         .updates = gl::nn::adam(loss, {.learning_rate = learning_rate})});
    predict = gl::compile({.outputs = {argmax(logits)}, .mode = gl::Mode::inference});
  }
};

gl::Array predictions(const gl::Executor& cores, const gl::State& state, const gl::Program& predict,
                      gl::io::Loader& images) {
  std::vector<int64_t> all;
  for (const gl::Batch& batch : images) {
    const std::vector<int64_t> some = predict.run(cores, state, batch)[0].to_vector<int64_t>();
    all.insert(all.end(), some.begin(), some.end());
  }
  return gl::Array::from(all, {static_cast<int64_t>(all.size())});
}

double accuracy_of(const gl::Array& predicted, const gl::Array& labels) {
  int64_t right = 0;
  for (int64_t i = 0; i < labels.size(); ++i) {
    right += predicted.at<int64_t>({i}) == static_cast<int64_t>(labels.at<int32_t>({i})) ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

// The first few images that were taken for something else, side by side, in characters.
void show_mistakes(const Data& data, const gl::Array& predicted) {
  constexpr int64_t most = 3;
  constexpr std::string_view shades = " .:-=+*#%@";
  std::vector<int64_t> wrong;
  for (int64_t i = 0; i < predicted.size() && static_cast<int64_t>(wrong.size()) < most; ++i) {
    if (predicted.at<int64_t>({i}) != data.test.labels.at<int32_t>({i})) wrong.push_back(i);
  }
  const int64_t rows = data.test.images.sizes()[1], columns = data.test.images.sizes()[2];
  for (const int64_t i : wrong) {
    const std::string caption =
        fmt::format("{}, taken for {}", data.classes[static_cast<size_t>(data.test.labels.at<int32_t>({i}))],
                    data.classes[static_cast<size_t>(predicted.at<int64_t>({i}))]);
    fmt::print("{:<{}}  ", caption.substr(0, static_cast<size_t>(2 * columns)), 2 * columns);
  }
  fmt::print("\n");
  for (int64_t row = 0; row < rows; ++row) {
    for (const int64_t i : wrong) {
      std::string line;
      for (int64_t column = 0; column < columns; ++column) {
        line += std::string(2, shades[data.test.images.at<uint8_t>({i, row, column}) * shades.size() / 256]);
      }
      fmt::print("{}  ", line);
    }
    fmt::print("\n");
  }
}

void run(const Options& options) {
  const Data data = load(options);
  const std::vector<int64_t>& sizes = data.train.images.sizes();
  const int64_t steps = options.epochs * ((sizes[0] + options.batch - 1) / options.batch);
  const Network net(sizes[1], sizes[2], static_cast<int64_t>(data.classes.size()),
                    gl::nn::cosine_decay(options.learning_rate, steps));

  gl::State state{{.seed = options.seed}};
  const gl::Executor cores{{.threads = options.threads}};
  gl::io::Loader batches({{"image", data.train.images}, {"label", data.train.labels}},
                         {.batch_size = options.batch, .seed = options.seed, .to_float = {{"image"}}});
  gl::io::Loader test_images({{"image", data.test.images}},
                             {.batch_size = 1000, .shuffle = false, .to_float = {{"image"}}});

  fmt::print("{} images of {}x{}, {} to test; {} threads\n", sizes[0], sizes[1], sizes[2], data.test.labels.size(),
             cores.threads());
  std::fflush(stdout);
  gl::nn::ProgressLine progress({.examples = "images", .metrics = {"accuracy"}});
  gl::Array predicted;
  const auto begin = std::chrono::steady_clock::now();
  const auto after_epoch = [&](const gl::nn::EpochReport&) {
    predicted = predictions(cores, state, net.predict, test_images);
    fmt::print("           test accuracy {:.2f} %\n", 100 * accuracy_of(predicted, data.test.labels));
    std::fflush(stdout);
    return gl::nn::FitAction::proceed;
  };
  (void)gl::nn::fit(cores, state, net.train, batches,
                    {.epochs = options.epochs, .progress = &progress, .on_epoch = after_epoch});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();

  gl::nn::ConfusionMatrix confusion(static_cast<int64_t>(data.classes.size()));
  confusion.add(data.test.labels, predicted);
  fmt::print("\nWhat was taken for what (rows: the truth):\n{}\n", confusion.to_string(data.classes));
  show_mistakes(data, predicted);
  gl::io::save(state, options.save);
  fmt::print("\ntest accuracy {:.2f} % after {:.1f} s of training; the State is saved as {}\n",
             100 * accuracy_of(predicted, data.test.labels), seconds, options.save);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Trains a network on Fashion-MNIST.");
  app.add_option("--epochs", options.epochs, "how often it sees every image")->check(CLI::PositiveNumber);
  app.add_option("--batch", options.batch, "images a step")->check(CLI::PositiveNumber);
  app.add_option("--learning-rate", options.learning_rate, "of Adam, at the start; decays along a cosine");
  app.add_option("--seed", options.seed, "of initial weights, order of images and dropout");
  app.add_option("--threads", options.threads, "0: one per core");
  app.add_option("--data", options.data, "folder of the gzip'd IDX files");
  app.add_option("--save", options.save, "where the trained State goes");
  app.add_flag("--quick", options.quick, "one epoch on a tenth of the images, as a test");
  CLI11_PARSE(app, argc, argv);
  if (options.quick) options.epochs = 1;
  try {
    run(options);
  } catch (const gl::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
