// How fast the matrix product is: GFLOP/s on one thread and percent of the FMA peak, for each shape, form (N plain, T
// transposed in memory; A then B), instruction set and dtype. The peak is measured in alternation with the product, and
// each is the best of many runs, so that other load on the machine hits both alike. "grid" runs the blocks of gemm_grid
// one after the other: what cutting the product costs. Memory is in huge pages, as in an executor's arena: a transposed
// operand with a row stride of a page or more otherwise measures the TLB.
//
//   gemm_bench [--isa avx512] [--dtype f32] [--shape 128x784x512] [--grid 4x4] [--sets 16]
//
// Shapes are m x k x n, grids rows x columns of blocks; so many sets of operands take turns.
#include <gradloom/ops/gemm.hpp>

#include <immintrin.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace gl = gradloom;

namespace {

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

volatile float sink;

/// Seconds of about 2 Mflop of nothing but multiply-adds, with enough chains to cover their latency.
constexpr int kChains = 12, kRounds = 5000;

__attribute__((target("avx512f"))) void peak_avx512() {
  __m512 sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = _mm512_set1_ps(0.5f + 0.01f * static_cast<float>(i));
  const __m512 scale = _mm512_set1_ps(0.999f), shift = _mm512_set1_ps(0.001f);
  for (int r = 0; r < kRounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sum[i] = _mm512_fmadd_ps(sum[i], scale, shift);
  }
  for (int i = 1; i < kChains; ++i) sum[0] = _mm512_add_ps(sum[0], sum[i]);
  sink = _mm512_cvtss_f32(sum[0]);
}

__attribute__((target("avx2,fma"))) void peak_avx2() {
  __m256 sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = _mm256_set1_ps(0.5f + 0.01f * static_cast<float>(i));
  const __m256 scale = _mm256_set1_ps(0.999f), shift = _mm256_set1_ps(0.001f);
  for (int r = 0; r < kRounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sum[i] = _mm256_fmadd_ps(sum[i], scale, shift);
  }
  for (int i = 1; i < kChains; ++i) sum[0] = _mm256_add_ps(sum[0], sum[i]);
  sink = _mm256_cvtss_f32(sum[0]);
}

void peak_baseline() {
  __m128 sum[kChains];
  for (int i = 0; i < kChains; ++i) sum[i] = _mm_set1_ps(0.5f + 0.01f * static_cast<float>(i));
  const __m128 scale = _mm_set1_ps(0.999f), shift = _mm_set1_ps(0.001f);
  for (int r = 0; r < kRounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kChains; ++i) sum[i] = _mm_add_ps(_mm_mul_ps(sum[i], scale), shift);
  }
  for (int i = 1; i < kChains; ++i) sum[0] = _mm_add_ps(sum[0], sum[i]);
  sink = _mm_cvtss_f32(sum[0]);
}

struct Isa {
  std::string name;
  const gl::GemmKernels* kernels;
  void (*peak)();
  int lanes;
  bool supported;
};

struct Shape {
  int64_t m, k, n;
};

constexpr Shape kShapes[] = {
    {128, 784, 512},   {512, 512, 512},    {128, 784, 256}, {784, 128, 256}, {16, 128, 128},
    {128, 16, 128},    {128, 256, 10},     {128, 10, 256},  {256, 128, 10},  {32, 2, 4},
    {4, 4, 4},         {64, 64, 64},       {100, 100, 100}, {256, 256, 256}, {256, 1024, 1024},
    {256, 2048, 2048}, {1024, 1024, 1024}, {1, 784, 512},   {784, 512, 1},   {2048, 64, 2048},
};

template <class T>
struct Case {
  gl::GemmArgs<T> args;
  void (*kernel)(const gl::GemmArgs<T>&, void*) noexcept;
  void *workspace, *room;
  gl::GemmGrid grid;

  void run(bool by_grid) const {
    if (!by_grid) return kernel(args, workspace);
    gl::GemmKept kept{.room = room};
    gl::GemmArgs<T> sharing = args;
    (grid.by_columns ? sharing.kept_b : sharing.kept_a) = &kept;
    for (int64_t block = 0; block < grid.blocks(); ++block)
      kernel(gl::gemm_block(sharing, grid, grid.row_of(block), grid.col_of(block)), workspace);
  }
};

struct FreeMemory {
  void operator()(void* p) const { std::free(p); }
};

template <class T>
using Memory = std::unique_ptr<T[], FreeMemory>;

template <class T>
Memory<T> allocate(size_t count) {
  constexpr size_t page = size_t{2} << 20;
  const size_t bytes = (count * sizeof(T) + page) / page * page;
  T* memory = static_cast<T*>(std::aligned_alloc(page, bytes));
  madvise(memory, bytes, MADV_HUGEPAGE);
  for (size_t i = 0; i < bytes / sizeof(T); ++i) memory[i] = static_cast<T>(i * 2654435761U % 1000) / T{1000} - T{0.5};
  return Memory<T>(memory);
}

template <class T>
void measure(const Isa& isa, Shape s, bool transpose_a, bool transpose_b, gl::GemmGrid blocks, int64_t sets) {
  // One product after the other with operands of its own: with as many as do not fit the caches, memory delivers them.
  const Memory<T> a = allocate<T>(static_cast<size_t>(sets * s.m * s.k));
  const Memory<T> b = allocate<T>(static_cast<size_t>(sets * s.k * s.n));
  const Memory<T> c = allocate<T>(static_cast<size_t>(sets * s.m * s.n));
  const Memory<T> workspace = allocate<T>(isa.kernels->workspace_bytes(s.m, s.n, s.k, sizeof(T)) / sizeof(T));
  gl::GemmGrid grid = gl::gemm_grid(s.m, s.n, s.k, transpose_a, transpose_b);
  if (blocks.rows > 0) {
    grid.rows = blocks.rows;
    grid.cols = blocks.cols;
  }
  const int64_t lines = grid.by_columns ? gl::gemm_grid_cols(grid, s.n, 0).size : gl::gemm_grid_rows(grid, s.m, 0).size;
  const Memory<T> room = allocate<T>(static_cast<size_t>(gl::gemm_kept_elements(lines, s.k)));
  Case<T> product{{s.m, s.n, s.k, a.get(), transpose_a ? 1 : s.k, transpose_a ? s.m : 1, b.get(), transpose_b ? 1 : s.n,
                   transpose_b ? s.k : 1, c.get(), s.n, 1},
                  nullptr,
                  workspace.get(),
                  room.get(),
                  grid};
  product.args.sums_in_lanes = gl::gemm_sums_in_lanes(product.args);
  if constexpr (sizeof(T) == 4) {
    product.kernel = isa.kernels->f32;
  } else {
    product.kernel = isa.kernels->f64;
  }

  const double flops = 2.0 * static_cast<double>(s.m) * static_cast<double>(s.n) * static_cast<double>(s.k);
  const int repeats = std::max(1, static_cast<int>(2e6 / flops));
  double best = 1e9, best_grid = 1e9, best_peak = 1e9;
  int64_t set = 0;
  const auto run = [&](bool by_grid) {
    set = (set + 1) % sets;
    product.args.a = a.get() + set * s.m * s.k;
    product.args.b = b.get() + set * s.k * s.n;
    product.args.c = c.get() + set * s.m * s.n;
    product.run(by_grid);
  };
  const double end = now() + 0.25;
  for (int round = 0; round < 12 || now() < end; ++round) {
    double start = now();
    isa.peak();
    best_peak = std::min(best_peak, now() - start);
    start = now();
    for (int i = 0; i < repeats; ++i) run(false);
    best = std::min(best, (now() - start) / repeats);
    start = now();
    for (int i = 0; i < repeats; ++i) run(true);
    best_grid = std::min(best_grid, (now() - start) / repeats);
  }
  const double lanes = isa.lanes * 4.0 / static_cast<double>(sizeof(T));
  const double peak = 2.0 * lanes * kChains * kRounds / best_peak;
  std::printf("%-8s f%-2d %4ldx%4ldx%4ld %c%c %8.1f GFLOP/s %6.1f %%  %10.3f us   grid %ldx%ld %6.1f %%\n",
              isa.name.c_str(), static_cast<int>(8 * sizeof(T)), static_cast<long>(s.m), static_cast<long>(s.k),
              static_cast<long>(s.n), transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', flops / best * 1e-9,
              100 * flops / best / peak, best * 1e6, static_cast<long>(product.grid.rows),
              static_cast<long>(product.grid.cols), 100 * flops / best_grid / peak);
  std::fflush(stdout);
}

int usage(const char* program) {
  std::fprintf(stderr,
               "usage: %s [--isa baseline|avx2|avx512] [--dtype f32|f64] [--shape MxKxN] [--grid RxC] [--sets N]\n",
               program);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  const Isa isas[] = {{"avx512", &gl::avx512::gemm_kernels, peak_avx512, 16, avx512},
                      {"avx2", &gl::avx2::gemm_kernels, peak_avx2, 8, avx2},
                      {"baseline", &gl::baseline::gemm_kernels, peak_baseline, 4, true}};
  std::string only_isa, only_dtype;
  gl::GemmGrid blocks{0, 0};
  long sets = 1;
  std::vector<Shape> shapes(std::begin(kShapes), std::end(kShapes));
  for (int i = 1; i < argc; i += 2) {
    long m = 0, k = 0, n = 0;
    if (i + 1 == argc) {
      return usage(argv[0]);
    } else if (std::strcmp(argv[i], "--isa") == 0) {
      only_isa = argv[i + 1];
    } else if (std::strcmp(argv[i], "--dtype") == 0) {
      only_dtype = argv[i + 1];
    } else if (std::strcmp(argv[i], "--shape") == 0 && std::sscanf(argv[i + 1], "%ldx%ldx%ld", &m, &k, &n) == 3) {
      shapes = {{m, k, n}};
    } else if (std::strcmp(argv[i], "--grid") == 0 && std::sscanf(argv[i + 1], "%ldx%ld", &m, &n) == 2) {
      blocks = {m, n};
    } else if (std::strcmp(argv[i], "--sets") == 0 && std::sscanf(argv[i + 1], "%ld", &sets) == 1 && sets > 0) {
      continue;
    } else {
      return usage(argv[0]);
    }
  }
  for (const Isa& isa : isas) {
    if (!isa.supported || (!only_isa.empty() && only_isa != isa.name)) continue;
    for (const Shape& shape : shapes) {
      for (int form = 0; form < 4; ++form) {
        if (only_dtype != "f64") measure<float>(isa, shape, form & 2, form & 1, blocks, sets);
        if (only_dtype != "f32") measure<double>(isa, shape, form & 2, form & 1, blocks, sets);
      }
    }
  }
}
