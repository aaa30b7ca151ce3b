// libtorch_suite: one case of the comparison, run through the PyTorch C++ frontend. Each case runs in a process of its
// own:
//
//   libtorch_suite --case lenet --threads 2
//
// and prints one row; the README explains its columns. A training step is forward, loss, zero_grad, backward and
// optimizer step, in f32, on fixed inputs. Inputs, labels and initial parameters come from peer_data.hpp, so another
// framework can start from the same numbers.
#include "fashion_mnist.hpp"
#include "libtorch_cases.hpp"
#include "libtorch_models.hpp"
#include "peer_data.hpp"
#include "peer_run.hpp"

#include <ATen/autocast_mode.h>
#include <malloc.h>
#include <torch/torch.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace peers;

struct Options {
  std::string name;
  int threads = 1;
  Patience patience;
  int print_losses = 0;
  bool keep_memory = false;
  bool bf16 = false;  // by autocast
  std::string data = "/usr/share/datasets/fashion-mnist";
};

double mean_of(const Tensor& t) { return t.to(torch::kFloat64).mean().item<double>(); }

// Products and convolutions of what follows, on this thread, are of bf16. They keep what they round, parameters too,
// until the cache is cleared: after each step, as the guard of the Python API does.
void start_autocast() {
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  at::autocast::set_autocast_enabled(at::kCPU, true);
#else
  at::autocast::set_autocast_cpu_dtype(at::kBFloat16);
  at::autocast::set_cpu_enabled(true);
#endif
  at::autocast::increment_nesting();
}

// A case whose steps forget what the last one rounded.
Case with_autocast(Case c) {
  start_autocast();
  c.step = [step = std::move(c.step)] {
    Tensor result = step();
    at::autocast::clear_cache();
    return result;
  };
  return c;
}

Row measure(const Case& c, const Patience& patience) {
  // Where a case has no loss, its first element is the checksum: a mean of 16 Mi floats would fill the cache.
  const auto value = [&](const Tensor& t) {
    return c.bytes == 0 || t.numel() == 1 ? mean_of(t) : t.flatten()[0].item<double>();
  };
  Row row;
  time_steps(row, patience, c.step, value);
  row.set_rate(c.flops, c.bytes);
  return row;
}

// Full epochs over Fashion-MNIST held in memory; the order of epoch e is
// shuffled_order(60000, 5000 + e) and the last, smaller batch is left out.
// Seconds cover the epochs (gathering batches included), not the test.
template <class Model>
Row train_fashion(const Options& options, std::shared_ptr<Model> model, int64_t batch, int epochs, bool as_images) {
  const auto to_tensors = [&](const std::string& split) {
    const auto set = read_fashion_mnist(options.data, split);
    const int64_t n = static_cast<int64_t>(set.count);
    Tensor x = torch::from_blob(const_cast<float*>(set.pixels.data()), {n, 784}).clone();
    if (as_images) x = x.view({n, 1, 28, 28});
    Tensor y = torch::from_blob(const_cast<int64_t*>(set.labels.data()), {n}, torch::kInt64).clone();
    return std::make_pair(x, y);
  };
  if (options.bf16) start_autocast();
  auto [x, y] = to_tensors("train");
  auto [test_x, test_y] = to_tensors("t10k");
  prepare(model);
  auto optimizer = adam(model);

  Row row;
  std::vector<double> epoch_ms;
  double total = 0;
  size_t steps = 0;
  const int64_t count = x.size(0);
  for (int e = 0; e < epochs; ++e) {
    const auto start = Clock::now();
    const auto order = shuffled_order(count, kShuffleSeed + e);
    const Tensor index = torch::from_blob(const_cast<int64_t*>(order.data()), {count}, torch::kInt64);
    Tensor loss;
    for (int64_t at = 0; at + batch <= count; at += batch) {
      const Tensor rows = index.narrow(0, at, batch);
      loss = cross_entropy(model->forward(maybe_channels_last(x.index_select(0, rows))), y.index_select(0, rows));
      optimizer->zero_grad();
      loss.backward();
      optimizer->step();
      if (options.bf16) at::autocast::clear_cache();
      if (e == 0 && at == 0) row.loss_first = loss.template item<double>();
      ++steps;
    }
    row.loss_last = loss.template item<double>();
    epoch_ms.push_back(ms_since(start));
    total += epoch_ms.back() / 1000;
  }

  int64_t right = 0;
  model->eval();
  {
    torch::NoGradGuard no_grad;
    for (int64_t at = 0; at < test_x.size(0); at += 1000) {
      const Tensor guess = model->forward(maybe_channels_last(test_x.narrow(0, at, 1000))).argmax(1);
      right += guess.eq(test_y.narrow(0, at, 1000)).sum().template item<int64_t>();
    }
  }
  const double accuracy = 100.0 * right / test_x.size(0);
  std::printf("# %s\tthreads=%d\tseconds=%.3f\ttest_accuracy=%.2f%%\n", options.name.c_str(), options.threads, total,
              accuracy);
  row.set_times(epoch_ms);
  row.steps = steps;
  row.rate = accuracy;
  row.rate_unit = "%correct";
  return row;
}

const char* const kUsage =
    "usage: libtorch_suite --case NAME [--threads T] [--seconds S] [--steps N] [--losses N]\n"
    "                      [--layout nchw|nhwc] [--malloc default|keep] [--autocast bf16] [--data FOLDER]\n"
    "                      [--print-params]\n"
    "       libtorch_suite --list | --config | --header\n";

[[noreturn]] void refuse(const std::string& why) {
  std::fprintf(stderr, "libtorch_suite: %s\n%s", why.c_str(), kUsage);
  std::exit(2);
}

// The options that take a value.
void set_option(Options& options, const std::string& flag, const std::string& value) {
  if (flag == "--case")
    options.name = value;
  else if (flag == "--threads")
    options.threads = std::max(1, std::atoi(value.c_str()));
  else if (flag == "--seconds")
    options.patience.seconds = std::atof(value.c_str());
  else if (flag == "--steps")
    options.patience.fixed_steps = std::strtoul(value.c_str(), nullptr, 10);
  else if (flag == "--losses")
    options.print_losses = std::atoi(value.c_str());
  else if (flag == "--layout")
    g_model_options.channels_last = value == "nhwc";
  else if (flag == "--malloc")
    options.keep_memory = value == "keep";
  else if (flag == "--autocast" && value == "bf16")
    options.bf16 = true;
  else if (flag == "--data")
    options.data = value;
  else
    refuse("unknown option " + flag);
}

// Freed blocks stay with the process instead of going back to the system.
void keep_freed_memory() {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  mallopt(M_TOP_PAD, 64 << 20);
}

void run_case(const Options& options, const std::map<std::string, std::function<Case()>>& cases) {
  const double base = resident_mb();
  Row row;
  if (options.name == "fashion_mlp") {
    const std::vector<int64_t> sizes{784, 256, 128, 10};
    row = train_fashion(options, std::make_shared<Mlp>(sizes, relu, 128, true), 128, 5, false);
  } else if (options.name == "fashion_cnn") {
    row = train_fashion(options, std::make_shared<LeNet>(64, true), 64, 3, true);
  } else {
    const auto found = cases.find(options.name);
    if (found == cases.end()) refuse("no case named '" + options.name + "'; --list tells them");
    const Case c = options.bf16 ? with_autocast(found->second()) : found->second();
    if (options.print_losses > 0) {
      for (int i = 0; i < options.print_losses; ++i) std::printf("%.9g\n", mean_of(c.step()));
      return;
    }
    row = measure(c, options.patience);
  }
  row.name = options.name;
  row.threads = options.threads;
  row.base_rss_mb = base;
  print_row(row);
}

}  // namespace

int main(int argc, char** argv) {
  const auto cases = all_cases();
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    if (flag == "--list") {
      for (const auto& c : cases) std::puts(c.first.c_str());
      std::puts("fashion_mlp\nfashion_cnn");
      return 0;
    }
    if (flag == "--config") {
      std::cout << torch::show_config() << '\n' << at::get_parallel_info() << '\n';
      return 0;
    }
    if (flag == "--header") {
      print_header();
      return 0;
    }
    if (flag == "--print-params") {
      g_model_options.print_params = true;
      continue;
    }
    if (i + 1 == argc) refuse(flag + " needs a value");
    set_option(options, flag, argv[++i]);
  }
  start_with_threads(argv, options.threads);
  if (options.keep_memory) keep_freed_memory();
  at::set_num_threads(options.threads);
  at::set_num_interop_threads(1);
  try {
    run_case(options, cases);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", options.name.c_str(), error.what());
    return 1;
  }
  return 0;
}
