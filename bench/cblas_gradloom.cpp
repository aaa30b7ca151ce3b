// Our matrix product as a BLAS library: exports cblas_sgemm, so that benchmarks of other BLAS libraries can load it.
// OMP_NUM_THREADS sets the number of threads (default 1). The threads are a minimal team that lives as long as the
// process and spins between products, as the workers of the peers do; the blocks are those of gemm_grid.
//
//   g++ -std=c++20 -O2 -fPIC -shared ... -o libcblas_gradloom.so
#include <gradloom/ops/gemm.hpp>

#include <immintrin.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <thread>
#include <vector>

namespace gl = gradloom;

namespace {

const gl::GemmKernels& best_kernels() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    return gl::avx512::gemm_kernels;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return gl::avx2::gemm_kernels;
  return gl::baseline::gemm_kernels;
}

/// Scratch of one thread, in huge pages, that only grows.
class Scratch {
 public:
  void* at_least(size_t bytes) {
    if (bytes > size_) {
      constexpr size_t page = size_t{2} << 20;
      std::free(data_);
      size_ = (bytes + page - 1) / page * page;
      data_ = std::aligned_alloc(page, size_);
      if (data_ == nullptr) throw std::bad_alloc();
      madvise(data_, size_, MADV_HUGEPAGE);
    }
    return data_;
  }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
};

class Team {
 public:
  static Team& instance() {
    static Team* team = new Team;  // never destroyed: its threads spin until the process ends
    return *team;
  }

  void multiply(const gl::GemmArgs<float>& args) {
    gl::GemmGrid grid{1, 1};
    if (scratch_.size() > 1) grid = gl::gemm_grid(args.m, args.n, args.k, args.a_row == 1, args.b_row == 1);
    if (grid.rows * grid.cols * grid.depths == 1) {
      if (args.m > m_ || args.n > n_ || args.k > k_) {
        m_ = std::max(m_, args.m);
        n_ = std::max(n_, args.n);
        k_ = std::max(k_, args.k);
        scratch_[0].at_least(kernels_.workspace_bytes(m_, n_, k_, sizeof(float)));
      }
      kernels_.f32(args, scratch_[0].at_least(0));
      return;
    }
    args_ = args;
    grid_ = grid;
    if (grid.depths > 1) {
      const int64_t rows = gl::gemm_grid_rows(grid, args.m, 0).size, cols = gl::gemm_grid_cols(grid, args.n, 0).size;
      const int64_t count = grid.rows * rows * grid.cols * cols * gl::gemm_chunks(args.k);
      partials_ = static_cast<float*>(partials_memory_.at_least(static_cast<size_t>(count) * sizeof(float)));
    }
    next_.store(0, std::memory_order_relaxed);
    working_.store(static_cast<int>(scratch_.size()), std::memory_order_relaxed);
    epoch_.fetch_add(1, std::memory_order_release);
    work(0);
    while (working_.load(std::memory_order_acquire) != 0) _mm_pause();
    if (grid.depths > 1) {
      for (int64_t block = 0; block < grid.rows * grid.cols; ++block)
        gl::gemm_combine(block_of(block), partials_of(block));
    }
  }

 private:
  Team() : kernels_(best_kernels()) {
    const char* wanted = std::getenv("OMP_NUM_THREADS");
    scratch_.resize(static_cast<size_t>(std::clamp(wanted == nullptr ? 1 : std::atoi(wanted), 1, 64)));
    for (size_t i = 1; i < scratch_.size(); ++i) {
      std::thread([this, i] {
        for (uint64_t seen = 0;;) {
          for (int spins = 0; epoch_.load(std::memory_order_acquire) == seen; ++spins) {
            if (spins < 20000) {
              _mm_pause();
            } else {
              std::this_thread::yield();
            }
          }
          ++seen;  // the next product waits for this thread, so no epoch is missed
          work(i);
        }
      }).detach();
    }
  }

  void work(size_t thread) {
    const gl::GemmRange rows = gl::gemm_grid_rows(grid_, args_.m, 0), cols = gl::gemm_grid_cols(grid_, args_.n, 0);
    void* workspace = scratch_[thread].at_least(kernels_.workspace_bytes(rows.size, cols.size, args_.k, sizeof(float)));
    for (;;) {
      const int64_t part = next_.fetch_add(1, std::memory_order_relaxed), block = part / grid_.depths;
      if (block >= grid_.rows * grid_.cols) break;
      const gl::GemmArgs<float> args = block_of(block);
      if (grid_.depths == 1) {
        kernels_.f32(args, workspace);
        continue;
      }
      const gl::GemmRange chunks = gl::gemm_grid_chunks(grid_, args_.k, part % grid_.depths);
      for (int64_t i = 0; i < chunks.size; ++i) {
        kernels_.f32(gl::gemm_chunk(args, chunks.begin + i, partials_of(block)), workspace);
      }
    }
    working_.fetch_sub(1, std::memory_order_release);
  }

  gl::GemmArgs<float> block_of(int64_t block) const {
    return gl::gemm_block(args_, grid_, block / grid_.cols, block % grid_.cols);
  }
  /// Each block has its partial sums in one place; no block is larger than the first.
  float* partials_of(int64_t block) const {
    const int64_t rows = gl::gemm_grid_rows(grid_, args_.m, 0).size, cols = gl::gemm_grid_cols(grid_, args_.n, 0).size;
    return partials_ + block * rows * cols * gl::gemm_chunks(args_.k);
  }

  const gl::GemmKernels& kernels_;
  std::vector<Scratch> scratch_;
  int64_t m_ = 0, n_ = 0, k_ = 0;  // what scratch_[0] is enough for
  Scratch partials_memory_;
  float* partials_ = nullptr;
  gl::GemmArgs<float> args_{};
  gl::GemmGrid grid_{};
  std::atomic<int64_t> next_{0};
  std::atomic<int> working_{0};
  std::atomic<uint64_t> epoch_{0};
};

constexpr int kColMajor = 102, kNoTrans = 111;

}  // namespace

extern "C" __attribute__((visibility("default"))) void cblas_sgemm(int order, int transpose_a, int transpose_b, int m,
                                                                   int n, int k, float alpha, const float* a, int lda,
                                                                   const float* b, int ldb, float beta, float* c,
                                                                   int ldc) {
  const bool by_columns = order == kColMajor;
  gl::GemmArgs<float> args{m, n, k, a, lda, 1, b, ldb, 1, c, ldc, 1};
  if ((transpose_a == kNoTrans) == by_columns) std::swap(args.a_row, args.a_col);
  if ((transpose_b == kNoTrans) == by_columns) std::swap(args.b_row, args.b_col);
  if (by_columns) std::swap(args.c_row, args.c_col);
  args.sums_in_lanes = gl::gemm_sums_in_lanes(args);
  if (alpha == 1 && beta == 0) return Team::instance().multiply(args);

  std::vector<float> product(static_cast<size_t>(m) * static_cast<size_t>(n));
  args.c = product.data();
  args.c_row = n;
  args.c_col = 1;
  Team::instance().multiply(args);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      float& out = by_columns ? c[i + j * ldc] : c[i * ldc + j];
      const float x = alpha * product[static_cast<size_t>(i * n + j)];
      out = beta == 0 ? x : x + beta * out;  // beta 0 must not read C: it may hold nan
    }
  }
}
