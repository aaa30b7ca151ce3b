// Accuracy and speed of the element functions, for every instruction set this machine runs.
//
//   ulp_functions [--quick] [--threads N] [--isa NAME] [name...]
//
// One-argument functions in float: the largest error in ULPs against the C library's double, over all 2^32 inputs, or
// with --quick over every 997th. In double and for two arguments: against long double, over random bit patterns and
// random values of moderate size. Then nanoseconds per element over 2048 elements (the arrays stay in L1).
#include "../tests/ops/math_reference_internal.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace gradloom {
namespace {

struct Options {
  bool quick = false;
  int threads = 1;
  const char* isa = nullptr;
  std::vector<std::string> names;
};

constexpr long block = 4096;

bool wanted(const Options& options, const char* name) {
  if (options.names.empty()) return true;
  for (const std::string& n : options.names) {
    if (n == name) return true;
  }
  return false;
}

template <class T>
struct Worst {
  double ulps = -1;
  T at = 0, second = 0;
  void update(double e, T x, T y = 0) {
    if (e > ulps) *this = {e, x, y};
  }
};

/// The largest error of one function per instruction set, over float bit patterns 0, stride, 2 stride, ...
std::vector<Worst<float>> scan_f32(const Options& options, int index, std::span<const MathKernels* const> sets) {
  const std::uint64_t stride = options.quick ? 997 : 1;
  const std::uint64_t count = ((std::uint64_t(1) << 32) + stride - 1) / stride;
  std::vector<std::vector<Worst<float>>> found(std::size_t(options.threads), std::vector<Worst<float>>(sets.size()));
  std::atomic<std::uint64_t> next = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < options.threads; ++t) {
    threads.emplace_back([&, t] {
      std::vector<float> x(block), y(block);
      std::vector<double> expected(block);
      const UnaryReference& reference = *find_unary_reference(sets[0]->unary[std::size_t(index)].name);
      while (true) {
        const std::uint64_t begin = next.fetch_add(block);
        if (begin >= count) return;
        for (long i = 0; i < block; ++i) {
          const std::uint32_t b = std::uint32_t((begin + std::uint64_t(i)) * stride);
          std::memcpy(&x[std::size_t(i)], &b, 4);
          expected[std::size_t(i)] = reference.f64(double(x[std::size_t(i)]));
        }
        for (std::size_t s = 0; s < sets.size(); ++s) {
          sets[s]->unary[std::size_t(index)].f32(x.data(), y.data(), block);
          Worst<float>& worst = found[std::size_t(t)][s];
          for (std::size_t i = 0; i < block; ++i) {
            // Most results are the rounded expectation, half an ulp off at most: no news after the first worse one.
            const bool rounded = std::bit_cast<std::uint32_t>(y[i]) == std::bit_cast<std::uint32_t>(float(expected[i]));
            if (!rounded || worst.ulps < 0.5) worst.update(ulp_error(y[i], expected[i]), x[i]);
          }
        }
      }
    });
  }
  for (std::thread& t : threads) t.join();
  for (const auto& part : found) {
    for (std::size_t s = 0; s < sets.size(); ++s) found[0][s].update(part[s].ulps, part[s].at);
  }
  return found[0];
}

Worst<double> scan_f64(const Options& options, const UnaryMathKernel& kernel, const UnaryReference& reference) {
  Worst<double> worst;
  RandomValues random(1);
  std::vector<double> x(block), y(block);
  for (long done = 0; done < (options.quick ? 200'000 : 4'000'000); done += block) {
    for (double& v : x) v = random.next<double>();
    kernel.f64(x.data(), y.data(), block);
    for (std::size_t i = 0; i < block; ++i) worst.update(ulp_error(y[i], reference.f80(x[i])), x[i]);
  }
  return worst;
}

template <class T>
Worst<T> scan_binary(const Options& options, BinaryLoop<T> loop, const BinaryReference& reference) {
  Worst<T> worst;
  RandomValues random(2);
  std::vector<T> a(block), b(block), y(block);
  for (long done = 0; done < (options.quick ? 200'000 : 4'000'000); done += block) {
    for (std::size_t i = 0; i < block; ++i) {
      a[i] = random.next<T>();
      b[i] = random.next<T>();
    }
    loop(a.data(), b.data(), y.data(), block);
    for (std::size_t i = 0; i < block; ++i) {
      worst.update(ulp_error(y[i], reference.f80(a[i], b[i])), a[i], b[i]);
    }
  }
  return worst;
}

/// Nanoseconds per element, the best of several runs, on arguments in (lo, hi).
template <class T, class Loop>
double nanoseconds(T lo, T hi, Loop loop) {
  std::vector<T> x(block), y(block);
  RandomValues random(3);
  for (T& v : x) v = random.uniform(lo, hi);
  double best = 1e9;
  for (int repeat = 0; repeat < 20; ++repeat) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < 50; ++i) loop(x.data(), y.data(), 2048);
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - begin;
    best = std::min(best, time.count() / (50.0 * 2048.0));
  }
  return best;
}

void run(const Options& options) {
  std::vector<const MathKernels*> sets;
  for (const MathKernels* k : runnable_math_kernels()) {
    if (options.isa == nullptr || std::strcmp(options.isa, k->isa) == 0) sets.push_back(k);
  }
  if (sets.empty()) {
    std::fprintf(stderr, "--isa: baseline, avx2 or avx512, if this machine has it\n");
    std::exit(1);
  }
  std::printf("%-10s %-8s %8s %7s %8s %7s  worst arguments\n", "function", "isa", "f32 ULP", "f32 ns", "f64 ULP",
              "f64 ns");
  for (std::size_t k = 0; k < sets[0]->unary.size(); ++k) {
    const char* name = sets[0]->unary[k].name;
    if (!wanted(options, name)) continue;
    const UnaryReference& reference = *find_unary_reference(name);
    const std::vector<Worst<float>> f32 = scan_f32(options, int(k), sets);
    for (std::size_t s = 0; s < sets.size(); ++s) {
      const UnaryMathKernel& kernel = sets[s]->unary[k];
      const Worst<double> f64 = scan_f64(options, kernel, reference);
      const double ns32 = nanoseconds<float>(float(reference.lo), float(reference.hi), kernel.f32);
      const double ns64 = nanoseconds<double>(reference.lo, reference.hi, kernel.f64);
      std::printf("%-10s %-8s %8.3f %7.3f %8.3f %7.3f  %a, %a\n", name, sets[s]->isa, f32[s].ulps, ns32, f64.ulps, ns64,
                  double(f32[s].at), f64.at);
      std::fflush(stdout);
    }
  }
  for (std::size_t k = 0; k < sets[0]->binary.size(); ++k) {
    const char* name = sets[0]->binary[k].name;
    if (!wanted(options, name)) continue;
    const BinaryReference& reference = *find_binary_reference(name);
    for (const MathKernels* set : sets) {
      const BinaryMathKernel& kernel = set->binary[k];
      const Worst<float> f32 = scan_binary<float>(options, kernel.f32, reference);
      const Worst<double> f64 = scan_binary<double>(options, kernel.f64, reference);
      std::vector<float> second32(block, 2.7F);
      std::vector<double> second64(block, 2.7);
      const double ns32 =
          nanoseconds<float>(0.5F, 20, [&](const float* x, float* y, long n) { kernel.f32(x, second32.data(), y, n); });
      const double ns64 = nanoseconds<double>(
          0.5, 20, [&](const double* x, double* y, long n) { kernel.f64(x, second64.data(), y, n); });
      std::printf("%-10s %-8s %8.3f %7.3f %8.3f %7.3f  (%a, %a), (%a, %a)\n", name, set->isa, f32.ulps, ns32, f64.ulps,
                  ns64, double(f32.at), double(f32.second), f64.at, f64.second);
      std::fflush(stdout);
    }
  }
}

}  // namespace
}  // namespace gradloom

int main(int argc, char** argv) {
  gradloom::Options options;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--quick") == 0) {
      options.quick = true;
    } else if (std::strcmp(argv[i], "--threads") == 0 && i + 1 < argc) {
      options.threads = std::max(1, std::atoi(argv[++i]));
    } else if (std::strcmp(argv[i], "--isa") == 0 && i + 1 < argc) {
      options.isa = argv[++i];
    } else {
      options.names.push_back(argv[i]);
    }
  }
  gradloom::run(options);
}
