// gemm_suite: f32 matrix products through one library.
//
//   gemm_suite --lib openblas --threads 1
//   gemm_suite --lib blis --case 7x5x13_nt,gemm_nn_512 --seconds 0.1
//
// --lib names openblas, blis, dnnl or torch, or a shared object that exports
// cblas_sgemm (so a framework's own kernel can stand in the same table).  The
// library is loaded alone, because several that define the same BLAS names
// would otherwise call into each other.
//
// Output: case lib threads gflops_median gflops_best pct_of_peak us_median.
// --case takes names of the list below, or any MxNxK with the forms of A and B in
// memory, n plain and t transposed.
// The peak is that of the register-only loop in fma_peak.hpp, taken in the same
// process.  Every case is checked against a plain product in double precision.
#include "fma_peak.hpp"
#include "peer_data.hpp"
#include "peer_run.hpp"

#include <dlfcn.h>
#include <unistd.h>  // readlink

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <sstream>
#include <string>
#include <vector>

namespace {

// C[m,n] = op(A) op(B), all row-major; a transposed operand is stored so.
struct Product {
  std::string name;
  int64_t m, n, k;
  bool trans_a = false, trans_b = false;
  int64_t lda() const { return trans_a ? m : k; }
  int64_t ldb() const { return trans_b ? k : n; }
};

using Gemm = std::function<void(const Product&, const float* a, const float* b, float* c)>;

Product from_sizes(int64_t m, int64_t n, int64_t k, const std::string& form) {
  const std::string sizes = std::to_string(m) + "x" + std::to_string(n) + "x" + std::to_string(k);
  return {sizes + "_" + form, m, n, k, form[0] == 't', form[1] == 't'};
}

std::vector<Product> products() {
  std::vector<Product> list;
  for (int64_t n : {64, 128, 256, 512, 1024, 2048}) list.push_back({"gemm_nn_" + std::to_string(n), n, n, n});
  list.push_back({"gemm_tn_512", 512, 512, 512, true, false});
  list.push_back({"gemm_nt_512", 512, 512, 512, false, true});
  list.push_back({"gemm_m128_k784_n512", 128, 512, 784});
  list.push_back({"gemm_m256_k2048_n2048", 256, 2048, 2048});
  list.push_back({"gemm_m2048_k64_n2048", 2048, 2048, 64});
  // The three products of one dense layer with weights [out, in], batch 128:
  // forward x W^T, input gradient dy W, weight gradient dy^T x.
  list.push_back({"dense784x512_fwd_nt", 128, 512, 784, false, true});
  list.push_back({"dense784x512_dx_nn", 128, 784, 512});
  list.push_back({"dense784x512_dw_tn", 512, 784, 128, true, false});
  // One row, as in batch-1 inference.
  list.push_back({"gemv_m1_k784_n512_nt", 1, 512, 784, false, true});
  // Odd, tiny, flat and narrow ones, in every form.
  constexpr int64_t sizes[][3] = {{1, 1, 1},      {2, 2, 2},       {3, 3, 3},      {4, 4, 4},       {7, 5, 13},
                                  {8, 8, 8},      {13, 13, 13},    {16, 16, 16},   {17, 17, 17},    {31, 31, 31},
                                  {33, 129, 65},  {100, 100, 100}, {127, 63, 255}, {255, 255, 255}, {1023, 1023, 1023},
                                  {3, 512, 512},  {13, 700, 100},  {15, 257, 129}, {257, 15, 129},  {512, 3, 512},
                                  {128, 10, 784}, {1, 512, 784},   {512, 1, 784},  {64, 64, 8192}};
  for (const auto& [m, n, k] : sizes)
    for (const char* form : {"nn", "nt", "tn", "tt"}) list.push_back(from_sizes(m, n, k, form));
  return list;
}

// The products named, of the list or by their sizes.
std::vector<Product> choose(const std::string& names) {
  std::vector<Product> chosen;
  std::stringstream parts(names);
  for (std::string name; std::getline(parts, name, ',');) {
    long m = 0, n = 0, k = 0;
    char form[3] = "";
    const auto known = products();
    const auto found = std::find_if(known.begin(), known.end(), [&](const Product& p) { return p.name == name; });
    if (found != known.end()) {
      chosen.push_back(*found);
    } else if (std::sscanf(name.c_str(), "%ldx%ldx%ld_%2[nt]", &m, &n, &k, form) == 4 && form[1] != 0) {
      chosen.push_back(from_sizes(m, n, k, form));
    } else {
      std::fprintf(stderr, "no case %s\n", name.c_str());
      std::exit(2);
    }
  }
  return chosen;
}

using CblasSgemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*,
                            int);
using DnnlSgemm = int (*)(char, char, int64_t, int64_t, int64_t, float, const float*, int64_t, const float*, int64_t,
                          float, float*, int64_t);
using TorchGemm = void (*)(bool, bool, int64_t, int64_t, int64_t, const float*, const float*, float*);
using TorchThreads = void (*)(int);

void* load(const std::string& path) {
  void* lib = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!lib) {
    std::fprintf(stderr, "cannot load %s: %s\n", path.c_str(), dlerror());
    std::exit(1);
  }
  return lib;
}

template <class Function>
Function symbol(void* lib, const char* name, bool needed = true) {
  void* found = dlsym(lib, name);
  if (!found && needed) {
    std::fprintf(stderr, "no symbol %s\n", name);
    std::exit(1);
  }
  return reinterpret_cast<Function>(found);
}

Gemm through_cblas(void* lib) {
  const auto sgemm = symbol<CblasSgemm>(lib, "cblas_sgemm");
  return [sgemm](const Product& p, const float* a, const float* b, float* c) {
    constexpr int kRowMajor = 101, kNoTrans = 111, kTrans = 112;
    sgemm(kRowMajor, p.trans_a ? kTrans : kNoTrans, p.trans_b ? kTrans : kNoTrans, static_cast<int>(p.m),
          static_cast<int>(p.n), static_cast<int>(p.k), 1.0f, a, static_cast<int>(p.lda()), b,
          static_cast<int>(p.ldb()), 0.0f, c, static_cast<int>(p.n));
  };
}

Gemm open_library(const std::string& name, const std::string& plugin_folder, int threads) {
  if (name == "openblas") {
    void* lib = load("libopenblas.so.0");
    if (auto config = symbol<char* (*)()>(lib, "openblas_get_config", false))
      std::fprintf(stderr, "# openblas: %s\n", config());
    if (auto core = symbol<char* (*)()>(lib, "openblas_get_corename", false))
      std::fprintf(stderr, "# openblas kernel: %s\n", core());
    return through_cblas(lib);
  }
  if (name == "blis") {
    void* lib = load("libblis.so.4");
    const auto query = symbol<int (*)()>(lib, "bli_arch_query_id", false);
    const auto text = symbol<const char* (*)(int)>(lib, "bli_arch_string", false);
    if (query && text) std::fprintf(stderr, "# blis kernel: %s\n", text(query()));
    return through_cblas(lib);
  }
  if (name == "dnnl") {
    void* lib = load("libdnnl.so.2");
    if (auto isa = symbol<int (*)()>(lib, "dnnl_get_effective_cpu_isa", false))
      std::fprintf(stderr, "# dnnl effective isa: 0x%x\n", static_cast<unsigned>(isa()));
    const auto sgemm = symbol<DnnlSgemm>(lib, "dnnl_sgemm");
    return [sgemm](const Product& p, const float* a, const float* b, float* c) {
      sgemm(p.trans_a ? 'T' : 'N', p.trans_b ? 'T' : 'N', p.m, p.n, p.k, 1.0f, a, p.lda(), b, p.ldb(), 0.0f, c, p.n);
    };
  }
  if (name == "torch") {
    void* lib = load(plugin_folder + "/libgemm_torch.so");
    symbol<TorchThreads>(lib, "peer_torch_threads")(threads);
    const auto mm = symbol<TorchGemm>(lib, "peer_torch_gemm");
    return [mm](const Product& p, const float* a, const float* b, float* c) {
      mm(p.trans_a, p.trans_b, p.m, p.n, p.k, a, b, c);
    };
  }
  return through_cblas(load(name));
}

// A matrix as frameworks keep theirs: aligned to a cache line.  Those of one product begin at different offsets within
// a page, or the stores to one would seem to hit the loads of another.
class Matrix {
 public:
  Matrix(int64_t count, size_t line) : count_(static_cast<size_t>(count)) {
    const size_t bytes = 64 * line + count_ * sizeof(float);
    memory_.reset(static_cast<char*>(std::aligned_alloc(kPage, (bytes + kPage - 1) / kPage * kPage)));
    if (memory_ == nullptr) throw std::bad_alloc();
    first_ = reinterpret_cast<float*>(memory_.get() + 64 * line);
    std::fill_n(first_, count_, 0.0f);
  }
  float* data() { return first_; }
  size_t size() const { return count_; }
  float operator[](int64_t i) const { return first_[i]; }

 private:
  static constexpr size_t kPage = 4096;
  struct Free {
    void operator()(char* p) const { std::free(p); }
  };
  size_t count_;
  std::unique_ptr<char, Free> memory_;
  float* first_;
};

bool agrees(const Product& p, const Matrix& a, const Matrix& b, const Matrix& c) {
  peers::Rng rng(77);
  for (int sample = 0; sample < 200; ++sample) {
    const int64_t i = rng.below(static_cast<uint32_t>(p.m));
    const int64_t j = rng.below(static_cast<uint32_t>(p.n));
    double sum = 0, scale = 0;
    for (int64_t l = 0; l < p.k; ++l) {
      const double x = p.trans_a ? a[l * p.m + i] : a[i * p.k + l];
      const double y = p.trans_b ? b[j * p.k + l] : b[l * p.n + j];
      sum += x * y;
      scale += std::fabs(x * y);
    }
    if (!(std::fabs(c[i * p.n + j] - sum) <= 1e-5 * scale)) return false;
  }
  return true;
}

bool measure(const Product& p, const Gemm& gemm, const std::string& lib, int threads, double peak, double seconds) {
  Matrix a(p.m * p.k, 1), b(p.k * p.n, 17), c(p.m * p.n, 33);
  peers::fill_uniform(a.data(), a.size(), -1, 1, 11);
  peers::fill_uniform(b.data(), b.size(), -1, 1, 12);
  gemm(p, a.data(), b.data(), c.data());
  const bool right = agrees(p, a, b, c);

  const auto run = [&](long times) {
    const auto start = peers::Clock::now();
    for (long i = 0; i < times; ++i) gemm(p, a.data(), b.data(), c.data());
    return peers::ms_since(start) / 1000 / times;
  };
  double once = run(1);
  const auto warm = peers::Clock::now();
  while (peers::ms_since(warm) < seconds * 160) once = run(1);
  const long inner = std::max(1L, static_cast<long>(100e-6 / once));
  std::vector<double> times;
  const auto begin = peers::Clock::now();
  while (times.size() < 5 || peers::ms_since(begin) < seconds * 1000) times.push_back(run(inner));
  const double flops = 2.0 * p.m * p.n * p.k * 1e-9;
  const double median = peers::median(times);
  const double least = *std::min_element(times.begin(), times.end());
  std::printf("%s\t%s\t%d\t%.2f\t%.2f\t%.1f\t%.2f%s\n", p.name.c_str(), lib.c_str(), threads, flops / median,
              flops / least, 100 * flops / median / peak, median * 1e6, right ? "" : "\tWRONG");
  std::fflush(stdout);
  return right;
}

}  // namespace

int main(int argc, char** argv) {
  std::string lib = "openblas", only;
  int threads = 1;
  double seconds = 0.6;
  for (int i = 1; i < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--list") {
      for (const Product& p : products()) std::puts(p.name.c_str());
      return 0;
    }
    if (i + 1 >= argc) {
      std::fputs(
          "usage: gemm_suite --lib openblas|blis|dnnl|torch|FILE.so [--threads T]"
          " [--case NAME,...] [--seconds S] | --list\n",
          stderr);
      return 2;
    }
    if (flag == "--lib") lib = argv[i + 1];
    if (flag == "--threads") threads = std::max(1, std::atoi(argv[i + 1]));
    if (flag == "--case") only = argv[i + 1];
    if (flag == "--seconds") seconds = std::atof(argv[i + 1]);
  }
  peers::start_with_threads(argv, threads);

  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  std::string folder(self, length > 0 ? static_cast<size_t>(length) : 0);
  folder.resize(folder.find_last_of('/') == std::string::npos ? 0 : folder.find_last_of('/'));

  const Gemm gemm = open_library(lib, folder, threads);
  const double peak = peers::fma_peak_gflops(threads);
  std::fprintf(stderr, "# peak of %d thread(s): %.1f GFLOP/s\n", threads, peak);
  bool all_right = true;
  for (const auto& p : only.empty() ? products() : choose(only))
    all_right &= measure(p, gemm, lib, threads, peak, seconds);
  return all_right ? 0 : 1;
}
