// Are two images of one kind? Copies of one network with shared weights (Bromley et al. 1993, "Signature verification
// using a siamese time delay neural network") map images to points, so that images of one kind come close to each other
// and others stay apart. Pairs of test images are then told by the distance of their points, also pairs with two kinds
// that were never shown in training. siamese.png has test images in the first column, and beside each the images whose
// points are nearest.
#include "plot.hpp"
#include <gradloom/gradloom.hpp>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace gl = gradloom;

namespace {

constexpr size_t kinds = 10, seen_kinds = 8;

struct Options {
  int steps = 3000;
  int64_t batch = 128;
  uint64_t seed = 1;
  int threads = 0;
  std::string data = gl::io::fashion_mnist_folder, out = ".";
  bool quick = false;
};

/// Images as rows of pixels from 0 to 1, and which of them are of each kind.
struct Images {
  gl::Array pixels;
  std::vector<std::vector<int64_t>> of_kind;
  int64_t height, width;

  Images(const gl::io::ImageSet& set, int64_t most)
      : of_kind(kinds), height(set.images.sizes()[1]), width(set.images.sizes()[2]) {
    const int64_t count = std::min(most, set.labels.size());
    for (int64_t i = 0; i < count; ++i) of_kind[static_cast<size_t>(set.labels.at<int32_t>({i}))].push_back(i);
    gl::io::Loader all({{"image", set.images.rows(0, count)}},
                       {.batch_size = count, .shuffle = false, .to_float = {{"image"}}});
    pixels = (*all.begin())["image"].clone().reshaped({count, height * width});
  }

  [[nodiscard]] gl::Array rows(const std::vector<int64_t>& numbers) const {
    const int64_t size = height * width;
    const gl::Array found({static_cast<int64_t>(numbers.size()), size});
    float* to = found.data<float>().data();
    for (const int64_t number : numbers) to = std::copy_n(pixels.data<const float>().data() + number * size, size, to);
    return found;
  }
};

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  size_t below(size_t n) { return engine_() % n; }
  int64_t any_of(const std::vector<int64_t>& numbers) { return numbers[below(numbers.size())]; }

 private:
  std::mt19937_64 engine_;
};

/// Pairs of images, every other one of one kind: the first of kinds from `from` to below `to`, the second below `to`.
struct Pairs {
  gl::Batch images;
  std::vector<bool> same;

  Pairs(const Images& set, size_t from, size_t to, size_t count, uint64_t seed) {
    Random random(seed);
    std::vector<int64_t> first, second;
    for (size_t i = 0; i < count; ++i) {
      const size_t kind = from + random.below(to - from), other = (kind + 1 + random.below(to - 1)) % to;
      same.push_back(i % 2 == 0);
      first.push_back(random.any_of(set.of_kind[kind]));
      second.push_back(random.any_of(set.of_kind[same.back() ? kind : other]));
    }
    images = {{"anchor", set.rows(first)}, {"alike", set.rows(second)}};
  }
};

double share_right(const gl::Array& distances, const std::vector<bool>& same, double threshold) {
  int64_t right = 0;
  for (int64_t i = 0; i < distances.size(); ++i)
    right += (static_cast<double>(distances.at<float>({i})) < threshold) == same[static_cast<size_t>(i)] ? 1 : 0;
  return static_cast<double>(right) / static_cast<double>(distances.size());
}

/// Below which most pairs are rightly taken to be of one kind.
double best_threshold(const gl::Array& distances, const std::vector<bool>& same) {
  double best = 0, most = 0;
  for (int64_t i = 0; i < distances.size(); ++i) {
    const double threshold = static_cast<double>(distances.at<float>({i}));
    if (const double share = share_right(distances, same, threshold); share > most) {
      most = share;
      best = threshold;
    }
  }
  return best;
}

/// One image of each kind, and beside it those whose points are nearest.
void draw_nearest(const Options& options, const Images& images, const gl::Array& points) {
  constexpr int64_t across = 12;
  std::vector<int64_t> shown;
  for (const std::vector<int64_t>& of_kind : images.of_kind) {
    std::vector<double> distance(static_cast<size_t>(points.sizes()[0]), 0);
    for (int64_t i = 0; i < points.sizes()[0]; ++i) {
      for (int64_t d = 0; d < points.sizes()[1]; ++d) {
        const double apart = static_cast<double>(points.at<float>({i, d}) - points.at<float>({of_kind[0], d}));
        distance[static_cast<size_t>(i)] += apart * apart;
      }
    }
    std::vector<int64_t> order(distance.size());
    std::iota(order.begin(), order.end(), int64_t{0});
    std::partial_sort(order.begin(), order.begin() + across, order.end(), [&](int64_t a, int64_t b) {
      return std::pair(distance[static_cast<size_t>(a)], a) < std::pair(distance[static_cast<size_t>(b)], b);
    });
    shown.insert(shown.end(), order.begin(), order.begin() + across);
  }
  example::draw_images(options.out, "siamese",
                       images.rows(shown).reshaped({static_cast<int64_t>(shown.size()), images.height, images.width}),
                       across);
}

void run(const Options& options) {
  // Without Fashion-MNIST, handwritten digits of 8x8 pixels.
  const bool real = gl::io::has_image_set(options.data);
  const auto load = [&](gl::io::Split split, int64_t most) {
    return Images(gl::io::load_image_set(real ? options.data : EXAMPLE_DATA, split, real ? "" : "digits-"), most);
  };
  const Images train_set = load(gl::io::Split::train, options.quick ? 1000 : 60000);
  const Images test_set = load(gl::io::Split::test, options.quick ? 500 : 10000);
  const int64_t size = train_set.height * train_set.width;

  // One layer, called three times: the graph has one set of weights, and their gradient is the sum over the three.
  gl::Graph g;
  const auto relu = [](const gl::Tensor& x) { return gl::relu(x); };
  const auto unit_length = [](const gl::Tensor& x) { return x / (norm(x, {.axes = {-1}, .keepdims = true}) + 1e-6); };
  const gl::nn::Layer embed = gl::nn::sequential(
      {gl::nn::Dense(256, {.weight = gl::nn::he()}), relu, gl::nn::Dense(64), unit_length}, {.name = "embed"});
  const gl::Tensor anchor = g.input("anchor", {"batch", size}), alike = g.input("alike", {"batch", size}),
                   other = g.input("other", {"batch", size});
  const gl::Tensor point = embed(anchor);
  const gl::Tensor loss = gl::nn::triplet_margin(point, embed(alike), embed(other), {.margin = 0.5});
  const gl::Program train = gl::compile({.outputs = {loss}, .updates = gl::nn::adam(loss, {.learning_rate = 1e-3})});
  const auto distance = [](const gl::Tensor& x, const gl::Tensor& y) { return norm(x - y, {.axes = {-1}}); };
  const gl::Program compare = gl::compile({.outputs = {distance(anchor, alike), distance(point, embed(alike))}});
  const gl::Program place = gl::compile({.outputs = {point}});

  gl::State state{{.seed = options.seed}};
  const gl::Executor cores{{.threads = options.threads}};
  Random random(options.seed);
  gl::nn::RunningMean recent;
  for (int step = 1; step <= options.steps; ++step) {
    std::vector<int64_t> anchors, alikes, others;
    for (int64_t i = 0; i < options.batch; ++i) {
      const size_t kind = random.below(seen_kinds), another = (kind + 1 + random.below(seen_kinds - 1)) % seen_kinds;
      anchors.push_back(random.any_of(train_set.of_kind[kind]));
      alikes.push_back(random.any_of(train_set.of_kind[kind]));
      others.push_back(random.any_of(train_set.of_kind[another]));
    }
    const auto result = train.run(
        cores, state,
        {{"anchor", train_set.rows(anchors)}, {"alike", train_set.rows(alikes)}, {"other", train_set.rows(others)}});
    recent.add(static_cast<double>(result[0].item<float>()));
    if (step % (options.steps / 4) == 0) {
      fmt::print("step {:5}  loss {:.4f}\n", step, recent.value());
      recent = {};
    }
  }

  const size_t count = options.quick ? 500 : 4000;
  const Pairs known(train_set, 0, seen_kinds, count, 1), seen(test_set, 0, seen_kinds, count, 2),
      unseen(test_set, seen_kinds, kinds, count, 3);
  const auto distances = [&](const Pairs& pairs) { return compare.run(cores, std::as_const(state), pairs.images); };
  const std::vector<gl::Array> of_known = distances(known), of_seen = distances(seen), of_unseen = distances(unseen);
  fmt::print("{} pairs of test images of {}, one kind or two? Right, by the distance of their\n", count,
             real ? "pieces of clothing" : "handwritten digits");
  for (const size_t way : {0, 1}) {
    const double threshold = best_threshold(of_known[way], known.same);
    fmt::print("  {}  of the {} kinds: {:.1f} %   with one of {} kinds never shown: {:.1f} %\n",
               way == 0 ? "pixels" : "points", seen_kinds, 100 * share_right(of_seen[way], seen.same, threshold),
               kinds - seen_kinds, 100 * share_right(of_unseen[way], unseen.same, threshold));
  }
  draw_nearest(options, test_set, place.run(cores, std::as_const(state), {{"anchor", test_set.pixels}})[0]);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Learns whether two images are of one kind, by a network with shared weights.");
  app.add_option("--steps", options.steps, "of training")->check(CLI::Range(4, 1'000'000));
  app.add_option("--batch", options.batch, "triplets a step")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "of initial weights and the choice of images");
  app.add_option("--threads", options.threads, "0: one per core");
  app.add_option("--data", options.data, "folder of the gzip'd IDX files");
  app.add_option("--out", options.out, "folder of the picture");
  app.add_flag("--quick", options.quick, "60 steps on 1,000 images, as a test");
  CLI11_PARSE(app, argc, argv);
  if (options.quick) options.steps = 60;
  try {
    run(options);
  } catch (const gl::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
