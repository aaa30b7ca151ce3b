// dlib_suite: the dense and the convolutional training step through dlib.
//
//   dlib_suite --case mlp_mnist|lenet --threads T
//
// Same row as libtorch_suite.  dlib draws its own initial parameters, so the
// losses start near, but not at, those of the other peers.  Its matrix products
// go to the system's BLAS, which is all that uses more than one thread.
#include "peer_data.hpp"
#include "peer_run.hpp"

#include <dlib/dnn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace dlib;
using Image = matrix<float>;

using MlpNet = loss_multiclass_log<fc<10, relu<fc<256, relu<fc<512, input<Image>>>>>>>;

template <long filters, typename Below>
using Conv5 = add_layer<con_<filters, 5, 5, 1, 1, 2, 2>, Below>;
using LeNet = loss_multiclass_log<
    fc<10, relu<fc<512, max_pool<2, 2, 2, 2, relu<Conv5<64, max_pool<2, 2, 2, 2, relu<Conv5<32, input<Image>>>>>>>>>>>;

template <class Net>
void measure(const char* name, long rows, long cols, size_t batch, int threads, double flops) {
  peers::Row row{.name = name, .threads = threads, .base_rss_mb = peers::resident_mb()};
  Net net;
  std::vector<Image> images(batch, Image(rows, cols));
  std::vector<float> pixels(batch * rows * cols);
  peers::fill_uniform(pixels.data(), pixels.size(), -1, 1, peers::kInputSeed);
  for (size_t i = 0; i < batch; ++i) std::copy_n(&pixels[i * rows * cols], rows * cols, images[i].begin());
  std::vector<unsigned long> labels(batch);
  peers::fill_labels(labels.data(), batch, 10, peers::kTargetSeed);

  resizable_tensor x;
  net.to_tensor(images.begin(), images.end(), x);
  std::vector<adam> solvers(Net::num_computational_layers, adam(0, 0.9, 0.999));
  const auto step = [&] {
    const double loss = net.compute_parameter_gradients(x, labels.begin());
    net.update_parameters(solvers, 1e-3);
    return loss;
  };
  peers::time_steps(row, {}, step, [](double loss) { return loss; });
  row.set_rate(flops, 0);
  peers::print_row(row);
}

}  // namespace

int main(int argc, char** argv) {
  std::string name;
  int threads = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--case") name = argv[i + 1];
    if (flag == "--threads") threads = std::max(1, std::atoi(argv[i + 1]));
  }
  peers::start_with_threads(argv, threads);
  if (name == "mlp_mnist") {
    const double flops = 2.0 * 128 * (784.0 * 512 * 2 + 512 * 256 * 3 + 256 * 10 * 3);
    measure<MlpNet>("mlp_mnist", 28, 28, 128, threads, flops);
  } else if (name == "lenet") {
    const double flops = 2.0 * 64 * (784.0 * 25 * 32 * 2 + 196.0 * 800 * 64 * 3 + 3136.0 * 512 * 3 + 512 * 10 * 3);
    measure<LeNet>("lenet", 28, 28, 64, threads, flops);
  } else {
    std::fputs("usage: dlib_suite --case mlp_mnist|lenet [--threads T]\n", stderr);
    return 2;
  }
  return 0;
}
