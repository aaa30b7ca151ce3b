// Complete trainings on Fashion-MNIST: epochs are timed, the start and the order of the images are those of the peers.
#include "case.hpp"
#include "start_values.hpp"
#include "training.hpp"
#include <gradloom/io/fashion_mnist.hpp>
#include <gradloom/io/loader.hpp>
#include <gradloom/nn/losses.hpp>
#include <gradloom/nn/metrics.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/movement.hpp>

#include <cstdio>
#include <utility>

namespace bench {

namespace {

namespace io = gl::io;
namespace nn = gl::nn;
using gl::Tensor;

struct Network {
  gl::Program train, test;  // the loss of a batch; its accuracy
  gl::State state;
};

Tensor mlp(Training& t, const Tensor& x) { return t.mlp(x, {256, 128, 10}, relu); }

Tensor cnn(Training& t, const Tensor& x) { return lenet(t, gl::reshape(x, {"batch", 28, 28, 1})); }

Network make_network(gl::CompileOptions options, Tensor (*make)(Training& t, const Tensor& x)) {
  Training t(options);
  // Bytes until here: a step reads a quarter of the memory, and the division is part of the first kernel.
  gl::Graph& g = t.graph();
  const Tensor x = gl::cast(g.input("image", {"batch", 784}, gl::DType::u8), gl::DType::f32) / 255;
  const Tensor label = g.input("label", {"batch"}, gl::DType::i32);
  const Tensor logits = make(t, x);
  const Tensor loss = nn::softmax_cross_entropy(logits, label);
  Network network;
  set_parameters(network.state, g);
  options.outputs = {loss};
  options.updates = nn::adam(loss, {.learning_rate = 1e-3});
  network.train = gl::compile(options);
  options.outputs = {nn::accuracy(logits, label)};
  options.updates = {};
  options.mode = gl::Mode::inference;
  network.test = gl::compile(options);
  return network;
}

io::Loader make_loader(const std::string& folder, io::Split split, io::LoaderOptions options) {
  const io::ImageSet set = io::load_image_set(folder, split);
  return io::Loader({{"image", set.images.reshaped({set.labels.size(), 784})}, {"label", set.labels}},
                    std::move(options));
}

/// In per cent.
double test_accuracy(const Network& network, const gl::Executor& executor, const std::string& folder) {
  nn::RunningMean mean;
  for (const gl::Batch& batch : make_loader(folder, io::Split::test, {.batch_size = 1000, .shuffle = false})) {
    mean.add(static_cast<double>(network.test.run(executor, network.state, batch)[0].item<float>()));
  }
  return 100 * mean.value();
}

peers::Row train(const TrainingOptions& options, Network network, int64_t batch_size, int epochs) {
  peers::Row row;
  if (options.explain) {
    std::puts(network.train.explain(std::initializer_list<gl::SymbolBinding>{{"batch", batch_size}}).c_str());
    return row;
  }
  const gl::Executor executor{{.threads = options.threads}};
  const auto order = [](int64_t epoch) {
    return peers::shuffled_order(60000, peers::kShuffleSeed + static_cast<uint64_t>(epoch));
  };
  io::Loader loader =
      make_loader(options.data, io::Split::train, {.batch_size = batch_size, .drop_last = true, .order = order});
  gl::Array outputs[] = {gl::Array(std::initializer_list<int64_t>{})};

  std::vector<double> epoch_ms;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    const auto start = peers::Clock::now();
    for (const gl::Batch& batch : loader) {
      network.train.run(executor, network.state, batch, outputs);
      row.loss_last = static_cast<double>(outputs[0].item<float>());
      if (row.steps++ == 0) row.loss_first = row.loss_last;
      if (options.losses == 0) continue;
      std::printf("%.9g\n", row.loss_last);
      if (row.steps < static_cast<size_t>(options.losses)) continue;
      if (options.hash) print_hash(outputs, network.state);
      return row;
    }
    epoch_ms.push_back(peers::ms_since(start));
  }
  const size_t steps = row.steps;
  row.set_times(epoch_ms);
  row.steps = steps;
  row.rate = test_accuracy(network, executor, options.data);
  row.rate_unit = "%correct";
  return row;
}

peers::Row fashion_mlp(const TrainingOptions& options) {
  return train(options, make_network(options.compile, mlp), 128, 5);
}
peers::Row fashion_cnn(const TrainingOptions& options) {
  return train(options, make_network(options.compile, cnn), 64, 3);
}

constexpr NamedTraining cases[] = {{"fashion_mlp", fashion_mlp}, {"fashion_cnn", fashion_cnn}};

}  // namespace

const std::span<const NamedTraining> trainings = cases;

}  // namespace bench
