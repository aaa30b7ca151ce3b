// Learns what "alike" means: two (here three) copies of one network with shared weights map images to points, so that
// images of one kind come close to each other and others stay apart. Two kinds are never shown in training. In the end
// a handful of examples of each kind, the two included, is enough to tell new images apart, by the nearest point.
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace gl = gradloom;

namespace {

constexpr int64_t kinds = 10, seen_kinds = 8, examples_of_each = 5;

struct Data {
  gl::io::ImageSet train, test;
  std::string what = "pieces of clothing";
};

Data load() {
  if (gl::io::has_image_set(gl::io::fashion_mnist_folder)) {
    return {gl::io::load_image_set(gl::io::fashion_mnist_folder, gl::io::Split::train),
            gl::io::load_image_set(gl::io::fashion_mnist_folder, gl::io::Split::test)};
  }
  return {gl::io::load_image_set(EXAMPLE_DATA, gl::io::Split::train, "digits-"),
          gl::io::load_image_set(EXAMPLE_DATA, gl::io::Split::test, "digits-"), "handwritten digits"};
}

/// Rows of pixels, 0 to 1, of the images with these numbers.
gl::Array pixels(const gl::io::ImageSet& set, const std::vector<int64_t>& numbers) {
  const int64_t size = set.images.sizes()[1] * set.images.sizes()[2];
  const gl::Array rows({static_cast<int64_t>(numbers.size()), size});
  const auto images = set.images.data<const uint8_t>();
  const auto to = rows.data<float>();
  for (size_t i = 0; i < numbers.size(); ++i) {
    for (int64_t p = 0; p < size; ++p) {
      to[i * static_cast<size_t>(size) + static_cast<size_t>(p)] =
          static_cast<float>(images[static_cast<size_t>(numbers[i] * size + p)]) / 255;
    }
  }
  return rows;
}

/// The numbers of the images of each kind.
std::vector<std::vector<int64_t>> by_kind(const gl::io::ImageSet& set, int64_t most) {
  std::vector<std::vector<int64_t>> numbers(kinds);
  const auto labels = set.labels.data<const int32_t>();
  for (int64_t i = 0; i < std::min(most, set.labels.size()); ++i) {
    numbers[static_cast<size_t>(labels[static_cast<size_t>(i)])].push_back(i);
  }
  return numbers;
}

/// The share of test images whose nearest mean of a kind's few examples is that of their own kind, of the kinds that
/// were seen in training and of the others.
std::array<double, 2> nearest_is_right(const gl::Array& examples, const gl::Array& points, const gl::Array& labels) {
  const int64_t width = points.sizes()[1];
  std::array<int64_t, 2> right{}, all{};
  for (int64_t i = 0; i < points.sizes()[0]; ++i) {
    int64_t nearest = 0;
    double least = 1e300;
    for (int64_t kind = 0; kind < kinds; ++kind) {
      double distance = 0;
      for (int64_t d = 0; d < width; ++d) {
        double mean = 0;
        for (int64_t e = 0; e < examples_of_each; ++e) {
          mean += static_cast<double>(examples.at<float>({kind * examples_of_each + e, d})) / examples_of_each;
        }
        const double apart = static_cast<double>(points.at<float>({i, d})) - mean;
        distance += apart * apart;
      }
      if (distance < least) {
        least = distance;
        nearest = kind;
      }
    }
    const int64_t label = labels.at<int32_t>({i});
    ++all[label >= seen_kinds];
    right[label >= seen_kinds] += nearest == label ? 1 : 0;
  }
  return {static_cast<double>(right[0]) / static_cast<double>(all[0]),
          static_cast<double>(right[1]) / static_cast<double>(all[1])};
}

void run(int steps, int64_t batch, int64_t most) {
  const Data data = load();
  const int64_t size = data.train.images.sizes()[1] * data.train.images.sizes()[2];

  // One layer, called three times: the graph has one set of weights, and their gradient is the sum over the three.
  gl::Graph graph;
  const auto relu = [](const gl::Tensor& x) { return gl::relu(x); };
  const auto unit_length = [](const gl::Tensor& x) { return x / (norm(x, {.axes = {-1}, .keepdims = true}) + 1e-6); };
  const gl::nn::Layer embed = gl::nn::sequential(
      {gl::nn::Dense(256, {.weight = gl::nn::he()}), relu, gl::nn::Dense(64), unit_length}, {.name = "embed"});
  const gl::Tensor anchor = embed(graph.input("anchor", {"batch", size}));
  const gl::Tensor alike = embed(graph.input("alike", {"batch", size}));
  const gl::Tensor other = embed(graph.input("other", {"batch", size}));
  const gl::Tensor loss = gl::nn::triplet_margin(anchor, alike, other, {.margin = 0.5});
  const gl::Program train = gl::compile({.outputs = {loss}, .updates = gl::nn::adam(loss, {.learning_rate = 1e-3})});
  const gl::Program ask = gl::compile({.outputs = {anchor}, .mode = gl::Mode::inference});
  fmt::print("{}", gl::nn::summary(anchor, {{"batch", batch}}));

  gl::State state{{.seed = 1}};
  const gl::Executor& cores = gl::default_executor();
  std::mt19937_64 random(1);
  const std::vector<std::vector<int64_t>> numbers = by_kind(data.train, most);
  const auto any_of = [&](size_t kind) { return numbers[kind][random() % numbers[kind].size()]; };
  gl::nn::RunningMean recent;
  for (int step = 1; step <= steps; ++step) {
    std::vector<int64_t> anchors, alikes, others;
    for (int64_t i = 0; i < batch; ++i) {
      const size_t kind = random() % seen_kinds, different = (kind + 1 + random() % (seen_kinds - 1)) % seen_kinds;
      anchors.push_back(any_of(kind));
      alikes.push_back(any_of(kind));
      others.push_back(any_of(different));
    }
    const auto result = train.run(cores, state,
                                  {{"anchor", pixels(data.train, anchors)},
                                   {"alike", pixels(data.train, alikes)},
                                   {"other", pixels(data.train, others)}});
    recent.add(static_cast<double>(result[0].item<float>()));
    if (step % (steps / 4) == 0) {
      fmt::print("step {:5}  loss {:.4f}\n", step, recent.value());
      recent = {};
    }
  }

  std::vector<int64_t> examples, tests;
  for (const std::vector<int64_t>& of_kind : numbers)
    examples.insert(examples.end(), of_kind.begin(), of_kind.begin() + examples_of_each);
  for (int64_t i = 0; i < std::min<int64_t>(data.test.labels.size(), most); ++i) tests.push_back(i);
  const auto points = [&](const gl::Array& rows) {
    return ask.run(cores, std::as_const(state), {{"anchor", rows}})[0];
  };
  const gl::Array example_rows = pixels(data.train, examples), test_rows = pixels(data.test, tests);
  const auto by_pixels = nearest_is_right(example_rows, test_rows, data.test.labels);
  const auto by_points = nearest_is_right(points(example_rows), points(test_rows), data.test.labels);
  fmt::print("{} test images of {}, told apart by {} examples of each kind:\n", tests.size(), data.what,
             examples_of_each);
  fmt::print("  {:24} {:>10} {:>18}\n", "nearest by", "8 kinds", "2 never learned");
  fmt::print("  {:24} {:8.1f} % {:16.1f} %\n", "pixels", 100 * by_pixels[0], 100 * by_pixels[1]);
  fmt::print("  {:24} {:8.1f} % {:16.1f} %\n", "what was learned", 100 * by_points[0], 100 * by_points[1]);
}

}  // namespace

int main(int argc, char** argv) {
  bool quick = false;
  int steps = 3000;
  CLI::App app("Learns which images are alike, with shared weights.");
  app.add_option("--steps", steps, "of training")->check(CLI::Range(4, 1'000'000));
  app.add_flag("--quick", quick, "fewer steps and images, as a test");
  CLI11_PARSE(app, argc, argv);
  try {
    run(quick ? 120 : steps, 128, quick ? 2000 : 60'000);
  } catch (const gl::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
