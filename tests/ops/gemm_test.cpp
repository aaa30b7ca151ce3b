// The matrix product kernels against the summation order that gemm.hpp promises (bit for bit, so every path, block and
// layout agrees with every other) and against a sum in long double.
#include <gradloom/ops/gemm.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <random>
#include <span>
#include <vector>

namespace gl = gradloom;

namespace {

struct Isa {
  const char* name;
  const gl::GemmKernels* kernels;
  bool fused;  // has a fused multiply-add
  size_t vector_bytes;
};

std::vector<Isa> supported_isas() {
  std::vector<Isa> isas{{"baseline", &gl::baseline::gemm_kernels, false, 16}};
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2) isas.push_back({"avx2", &gl::avx2::gemm_kernels, true, 32});
  if (avx512) isas.push_back({"avx512", &gl::avx512::gemm_kernels, true, 64});
  return isas;
}

enum class Layout { row_major, col_major, padded_rows, padded_cols, strided, backward };
constexpr Layout kLayouts[] = {Layout::row_major,   Layout::col_major, Layout::padded_rows,
                               Layout::padded_cols, Layout::strided,   Layout::backward};

/// A matrix in memory of exactly its extent, so that the address sanitizer sees every read beyond it. Elements between
/// those of the matrix are nan.
template <class T>
struct Matrix {
  int64_t rows, cols, row = 0, col = 0, origin = 0;
  std::vector<T> memory;

  Matrix(int64_t row_count, int64_t col_count, Layout layout) : rows(row_count), cols(col_count) {
    switch (layout) {
      case Layout::row_major:
        row = cols, col = 1;
        break;
      case Layout::col_major:
        row = 1, col = rows;
        break;
      case Layout::padded_rows:
        row = cols + 5, col = 1;
        break;
      case Layout::padded_cols:
        row = 1, col = rows + 3;
        break;
      case Layout::strided:
        row = 2 * cols + 1, col = 2;
        break;
      case Layout::backward:
        row = -(cols + 2), col = 1;
        break;
    }
    const int64_t last_row = std::max<int64_t>(rows - 1, 0), last_col = std::max<int64_t>(cols - 1, 0);
    origin = row < 0 ? -row * last_row : 0;
    memory.assign(static_cast<size_t>(last_row * std::abs(row) + last_col * col + 1),
                  std::numeric_limits<T>::quiet_NaN());
  }
  T* data() { return memory.data() + origin; }
  T& at(int64_t i, int64_t j) { return data()[i * row + j * col]; }
  void fill(std::mt19937& random) {
    std::uniform_real_distribution<double> uniform(-1, 1);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) at(i, j) = static_cast<T>(uniform(random));
    }
  }
  void copy_from(Matrix& other) {
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) at(i, j) = other.at(i, j);
    }
  }
};

struct FreeAligned {
  void operator()(std::byte* p) const { ::operator delete (p, std::align_val_t{64}); }
};

/// 64-byte aligned, exactly as large as asked for, full of nan.
class Workspace {
 public:
  explicit Workspace(size_t bytes) : bytes_(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{64}))) {
    std::memset(bytes_.get(), 0xff, bytes);
  }
  void* data() { return bytes_.get(); }

 private:
  std::unique_ptr<std::byte, FreeAligned> bytes_;
};

template <class T>
gl::GemmArgs<T> args_of(Matrix<T>& a, Matrix<T>& b, Matrix<T>& c) {
  gl::GemmArgs<T> args{a.rows, b.cols, a.cols, a.data(), a.row, a.col, b.data(), b.row, b.col, c.data(), c.row, c.col};
  args.sums_in_lanes = gl::gemm_sums_in_lanes(args);
  return args;
}

template <class T>
void run(const Isa& isa, const gl::GemmArgs<T>& args) {
  Workspace workspace(isa.kernels->workspace_bytes(args.m, args.n, args.k, sizeof(T)));
  if constexpr (sizeof(T) == 4) {
    isa.kernels->f32(args, workspace.data());
  } else {
    isa.kernels->f64(args, workspace.data());
  }
}

/// The order of summation in gemm.hpp, one element at a time.
template <class T>
T promised_sum(const Isa& isa, Matrix<T>& a, Matrix<T>& b, int64_t i, int64_t j, bool in_lanes) {
  const int64_t k = a.cols, chunks = (k + 511) / 512;
  const size_t lanes = isa.vector_bytes / sizeof(T), chains = in_lanes ? 2 * lanes : 1;
  T total{0};
  for (int64_t chunk = 0, p = 0; chunk < chunks; ++chunk) {
    std::vector<T> sums(chains);
    const int64_t units = (k + 15) / 16, begin = p;
    const int64_t end = std::min(k, p + 16 * (units / chunks + (chunk < units % chunks ? 1 : 0)));
    for (; p < end; ++p) {
      const T x = a.at(i, p), y = b.at(p, j);
      const volatile T product = x * y;  // never contracted
      const auto at = static_cast<size_t>(p - begin), rest = static_cast<size_t>(end - begin) / lanes * lanes;
      T& sum = sums[in_lanes && at >= rest ? lanes + at - rest : at % chains];
      sum = isa.fused ? std::fma(x, y, sum) : product + sum;
    }
    for (size_t width = chains / 2; width > 0; width /= 2) {
      for (size_t lane = 0; lane < width; ++lane) sums[lane] += sums[lane + width];
    }
    total = chunk == 0 ? sums[0] : total + sums[0];
  }
  return total;
}

template <class T>
bool same_bits(T x, T y) {
  return std::memcmp(&x, &y, sizeof(T)) == 0;
}

/// Compares all of C, and that nothing beside it was written.
template <class T>
void check_bits(Matrix<T>& c, Matrix<T>& expected) {
  int64_t wrong = 0;
  for (int64_t i = 0; i < c.rows; ++i) {
    for (int64_t j = 0; j < c.cols; ++j) wrong += same_bits(c.at(i, j), expected.at(i, j)) ? 0 : 1;
  }
  BOOST_TEST(wrong == 0, wrong << " of " << c.rows * c.cols << " elements differ");
  const auto written = std::count_if(c.memory.begin(), c.memory.end(), [](T x) { return x == x; });
  BOOST_TEST(written <= c.rows * c.cols, "wrote outside C");
}

template <class T>
void check_product(const Isa& isa, int64_t m, int64_t n, int64_t k, Layout la, Layout lb, Layout lc,
                   std::mt19937& random) {
  BOOST_TEST_CONTEXT(isa.name << " f" << 8 * sizeof(T) << " m " << m << " n " << n << " k " << k << " layouts "
                              << static_cast<int>(la) << static_cast<int>(lb) << static_cast<int>(lc)) {
    Matrix<T> a(m, k, la), b(k, n, lb), c(m, n, lc), expected(m, n, Layout::row_major);
    a.fill(random);
    b.fill(random);
    const gl::GemmArgs<T> args = args_of(a, b, c);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) expected.at(i, j) = promised_sum(isa, a, b, i, j, args.sums_in_lanes);
    }
    run(isa, args);
    check_bits(c, expected);
  }
}

/// Copies the parts that an epilogue sees into C.
template <class T>
struct Copy {
  Matrix<T>* c;
  size_t vector_bytes;
  std::vector<int64_t> next_row;  // of each column

  static void run(void* context, T* tile, int64_t stride, int64_t row, int64_t col, int64_t rows,
                  int64_t cols) noexcept {
    Copy& copy = *static_cast<Copy*>(context);
    const int64_t lanes = static_cast<int64_t>(copy.vector_bytes / sizeof(T));
    BOOST_TEST(reinterpret_cast<uintptr_t>(tile) % 64 == 0U);
    BOOST_TEST(stride % lanes == 0);
    BOOST_TEST((rows > 0 && cols > 0 && stride >= cols));
    BOOST_TEST(row % 4 == 0);
    BOOST_TEST(col % (copy.vector_bytes == 64 ? lanes : 2 * lanes) == 0);
    BOOST_TEST(static_cast<size_t>(rows * stride) * sizeof(T) <= size_t{16} << 10);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < cols; ++j) copy.c->at(row + i, col + j) = tile[i * stride + j];
      std::fill_n(tile + i * stride, (cols + lanes - 1) / lanes * lanes, std::numeric_limits<T>::quiet_NaN());
    }
    for (int64_t j = col; j < col + cols; ++j) {
      BOOST_TEST(copy.next_row[static_cast<size_t>(j)] == row);
      copy.next_row[static_cast<size_t>(j)] = row + rows;
    }
  }
};

template <class T>
void check_epilogue(const Isa& isa, int64_t m, int64_t n, int64_t k, Layout la, Layout lb, Layout lc, gl::GemmGrid grid,
                    std::mt19937& random, bool walks = false) {
  BOOST_TEST_CONTEXT(isa.name << " f" << 8 * sizeof(T) << " m " << m << " n " << n << " k " << k << " layouts "
                              << static_cast<int>(la) << static_cast<int>(lb) << static_cast<int>(lc)) {
    Matrix<T> a(m, k, la), b(k, n, lb), sums(m, n, lc), copied(m, n, Layout::row_major), expected = copied;
    a.fill(random);
    b.fill(random);
    run(isa, args_of(a, b, expected));
    Copy<T> copy{&copied, isa.vector_bytes, std::vector<int64_t>(static_cast<size_t>(n), 0)};
    const gl::GemmStream stream{reinterpret_cast<const std::byte*>(copied.data()), n * static_cast<int64_t>(sizeof(T)),
                                static_cast<int64_t>(sizeof(T))};
    const gl::GemmEpilogue<T> epilogue{Copy<T>::run, &copy, std::span(&stream, walks ? 1 : 0)};
    gl::GemmArgs<T> args = args_of(a, b, sums);
    args.epilogue = &epilogue;
    if (k <= 512) args.c = nullptr;
    Workspace room(static_cast<size_t>(gl::gemm_kept_elements(gl::gemm_grid_rows(grid, m, 0).size, k)) * sizeof(T));
    gl::GemmKept kept{.room = room.data()};
    if (grid.cols > 1) args.kept_a = &kept;
    for (int64_t i = 0; i < grid.rows; ++i) {
      for (int64_t j = 0; j < grid.cols; ++j) run(isa, gl::gemm_block(args, grid, i, j));
    }
    check_bits(copied, expected);
    BOOST_TEST(std::count(copy.next_row.begin(), copy.next_row.end(), m) == n);
  }
}

template <class Check>
void for_isas_and_dtypes(Check check) {
  for (const Isa& isa : supported_isas()) {
    check(isa, float{});
    check(isa, double{});
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_gemm)

BOOST_AUTO_TEST_CASE(tiny_sizes_in_random_layouts) {
  std::mt19937 random(1);
  std::uniform_int_distribution<int64_t> size(0, 20);
  std::uniform_int_distribution<size_t> pick(0, std::size(kLayouts) - 1);
  for_isas_and_dtypes([&]<class T>(const Isa& isa, T) {
    for (int i = 0; i < 1500; ++i) {
      const int64_t m = size(random), n = size(random), k = size(random);
      check_product<T>(isa, m, n, k, kLayouts[pick(random)], kLayouts[pick(random)], kLayouts[pick(random)], random);
    }
  });
}

BOOST_AUTO_TEST_CASE(every_combination_of_layouts) {
  std::mt19937 random(2);
  for_isas_and_dtypes([&]<class T>(const Isa& isa, T) {
    for (Layout la : kLayouts) {
      for (Layout lb : kLayouts) {
        for (Layout lc : kLayouts) check_product<T>(isa, 13, 35, 21, la, lb, lc, random);
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(matrix_times_vector) {
  std::mt19937 random(3);
  for_isas_and_dtypes([&]<class T>(const Isa& isa, T) {
    for (Layout la : kLayouts) {
      for (Layout lb : kLayouts) {
        check_product<T>(isa, 1, 77, 600, la, lb, Layout::row_major, random);
        check_product<T>(isa, 77, 1, 35, la, lb, Layout::strided, random);
        check_product<T>(isa, 1, 1, 1030, la, lb, Layout::row_major, random);
        for (int64_t vectors = 2; vectors <= 5; ++vectors) {
          check_product<T>(isa, 18, vectors, 600, la, lb, Layout::strided, random);
          check_product<T>(isa, vectors, 17, 61, la, lb, Layout::row_major, random);
        }
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(several_chunks_and_blocks) {
  std::mt19937 random(4);
  for_isas_and_dtypes([&]<class T>(const Isa& isa, T) {
    for (Layout layout : {Layout::row_major, Layout::padded_cols}) {
      check_product<T>(isa, 150, 53, 1030, layout, Layout::row_major, Layout::row_major, random);
      check_product<T>(isa, 70, 9, 515, layout, Layout::col_major, Layout::row_major, random);
      check_product<T>(isa, 9, 2100, 7, Layout::row_major, layout, layout, random);
    }
  });
}

// Large enough for packing everything and for several blocks of rows and columns; too many sums to do one by one, so
// the other layouts and the grid are compared with the first result, and a sample of that with the promised order.
BOOST_AUTO_TEST_CASE(large_products_agree_in_every_layout_and_grid) {
  std::mt19937 random(5);
  const int64_t m = 301, n = 2085, k = 521;
  for_isas_and_dtypes([&]<class T>(const Isa& isa, T) {
    BOOST_TEST_CONTEXT(isa.name << " f" << 8 * sizeof(T)) {
      Matrix<T> a(m, k, Layout::row_major), b(k, n, Layout::row_major), first(m, n, Layout::row_major);
      a.fill(random);
      b.fill(random);
      run(isa, args_of(a, b, first));
      for (int64_t i = 0; i < m; i += 7) {
        const int64_t j = (i * 631) % n;
        BOOST_TEST(same_bits(first.at(i, j), promised_sum(isa, a, b, i, j, false)));
      }
      for (Layout la : {Layout::row_major, Layout::col_major}) {
        for (Layout lb : {Layout::row_major, Layout::col_major}) {
          Matrix<T> a2(m, k, la), b2(k, n, lb), c(m, n, la == lb ? Layout::row_major : Layout::col_major);
          a2.copy_from(a);
          b2.copy_from(b);
          run(isa, args_of(a2, b2, c));
          check_bits(c, first);
        }
      }
      for (const gl::GemmGrid grid : {gl::gemm_grid(m, n, k), gl::GemmGrid{3, 1}, gl::GemmGrid{2, 5}}) {
        Matrix<T> c(m, n, Layout::row_major);
        for (int64_t i = 0; i < grid.rows; ++i) {
          for (int64_t j = 0; j < grid.cols; ++j) run(isa, gl::gemm_block(args_of(a, b, c), grid, i, j));
        }
        check_bits(c, first);
      }
    }
  });
}

// The parts are compared with the plain product, and with what gemm.hpp says about them.
BOOST_AUTO_TEST_CASE(epilogue_sees_every_element_once_in_rising_rows) {
  std::mt19937 random(9);
  std::uniform_int_distribution<size_t> pick(0, std::size(kLayouts) - 1);
  std::uniform_int_distribution<int64_t> tiny(1, 20), small(1, 120);
  for_isas_and_dtypes([&]<class T>(const Isa& isa, T) {
    const auto check = [&](int64_t m, int64_t n, int64_t k, gl::GemmGrid grid) {
      check_epilogue<T>(isa, m, n, k, kLayouts[pick(random)], kLayouts[pick(random)], kLayouts[pick(random)], grid,
                        random);
    };
    for (int i = 0; i < 1000; ++i) check(tiny(random), tiny(random), tiny(random), {1, 1});
    for (int i = 0; i < 200; ++i) check(small(random), small(random), 5 * small(random), {1, 1});
    for (int64_t size : {1, 5, 70, 200}) {
      for (int64_t k : {0, 1, 40, 700}) {
        check(1, size, k, {1, 1});
        check(size, 1, k, {1, 1});
        check(size, 10, k, {1, 1});
        check(10, size, k, {1, 1});
      }
    }
    for (int i = 0; i < 20; ++i) check(150 + small(random), 180 + small(random), 60 + 8 * small(random), {2, 3});
    check(301, 53, 515, {1, 1});
    check(53, 301, 515, {1, 1});
    check(6, 2100, 8, {1, 1});
  });
}

BOOST_AUTO_TEST_CASE(error_stays_within_the_bound_of_the_summation_order) {
  std::mt19937 random(6);
  const int64_t k = 3000;
  for_isas_and_dtypes([&]<class T>(const Isa& isa, T) {
    Matrix<T> a(5, k, Layout::row_major), b(k, 7, Layout::row_major), c(5, 7, Layout::row_major);
    a.fill(random);
    b.fill(random);
    run(isa, args_of(a, b, c));
    for (int64_t i = 0; i < c.rows; ++i) {
      for (int64_t j = 0; j < c.cols; ++j) {
        long double exact = 0, magnitude = 0;
        for (int64_t p = 0; p < k; ++p) {
          const long double product = static_cast<long double>(a.at(i, p)) * b.at(p, j);
          exact += product;
          magnitude += std::abs(product);
        }
        // Higham, "Accuracy and stability of numerical algorithms", 3.1: (512 + 6 + 1) u sum |a b|.
        const long double bound = 519 * magnitude * std::numeric_limits<T>::epsilon() / 2;
        BOOST_TEST(std::abs(c.at(i, j) - exact) <= bound);
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(nan_and_infinity_propagate) {
  for_isas_and_dtypes([&]<class T>(const Isa& isa, T) {
    const T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
    for (int64_t n : {1, 3, 40}) {
      Matrix<T> a(20, 9, Layout::row_major), b(9, n, Layout::row_major), c(20, n, Layout::row_major);
      std::fill(a.memory.begin(), a.memory.end(), T{0});
      std::fill(b.memory.begin(), b.memory.end(), T{1});
      a.at(3, 4) = nan;
      a.at(5, 8) = inf;
      b.at(2, n - 1) = inf;  // 0 * inf = nan in the whole last column
      run(isa, args_of(a, b, c));
      for (int64_t i = 0; i < 20; ++i) {
        BOOST_TEST(std::isnan(c.at(i, n - 1)));
        if (n == 1) continue;
        BOOST_TEST(std::isnan(c.at(i, 0)) == (i == 3));
        if (i != 3) BOOST_TEST(c.at(i, 0) == (i == 5 ? inf : T{0}));
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(empty_sums_are_zero_and_empty_products_write_nothing) {
  for_isas_and_dtypes([&]<class T>(const Isa& isa, T) {
    T c[6] = {1, 2, 3, 4, 5, 6};
    gl::GemmArgs<T> args{0, 3, 4, nullptr, 4, 1, nullptr, 3, 1, c, 3, 1};
    run(isa, args);
    args.m = 2, args.n = 0;
    run(isa, args);
    BOOST_TEST(c[0] == 1);
    args.n = 3, args.k = 0;
    run(isa, args);
    for (T x : c) BOOST_TEST(same_bits(x, T{0}));
  });
}

// Once a block has packed the shared operand, the operand itself is spoilt: the blocks that follow must use what is
// packed, in the form in which it is.
BOOST_AUTO_TEST_CASE(blocks_that_share_a_packed_operand_have_the_bits_of_the_whole) {
  std::mt19937 random(12);
  std::uniform_int_distribution<int64_t> shared_size(33, 200), other_size(40, 700), depth(50, 700);
  int packed = 0;
  for_isas_and_dtypes([&]<class T>(const Isa& isa, T) {
    for (int round = 0; round < 100; ++round) {
      const bool share_a = round % 2 == 0;
      const int64_t shared_lines = shared_size(random), other_lines = other_size(random), k = depth(random);
      const int64_t m = share_a ? shared_lines : other_lines, n = share_a ? other_lines : shared_lines;
      Matrix<T> a(m, k, share_a ? Layout::col_major : Layout::row_major);
      Matrix<T> b(k, n, share_a ? Layout::row_major : Layout::col_major);
      Matrix<T> c(m, n, Layout::row_major), whole(m, n, Layout::row_major);
      a.fill(random);
      b.fill(random);
      run(isa, args_of(a, b, whole));

      const gl::GemmGrid grid{2, 2};
      gl::GemmArgs<T> args = args_of(a, b, c);
      const int64_t lines = share_a ? gl::gemm_grid_rows(grid, m, 0).size : gl::gemm_grid_cols(grid, n, 0).size;
      Workspace room(static_cast<size_t>(gl::gemm_kept_elements(lines, k)) * sizeof(T));
      gl::GemmKept kept{.room = room.data()};
      (share_a ? args.kept_a : args.kept_b) = &kept;
      Matrix<T>& shared = share_a ? a : b;
      for (int64_t outer = 0; outer < 2; ++outer) {
        const Matrix<T> before = shared;
        for (int64_t inner = 0; inner < 2; ++inner) {
          const int64_t i = share_a ? outer : inner, j = share_a ? inner : outer;
          const gl::GemmArgs<T> block = gl::gemm_block(args, grid, i, j);
          run(isa, block);
          if (kept.block != static_cast<const void*>(share_a ? block.a : block.b)) continue;
          ++packed;
          std::fill(shared.memory.begin(), shared.memory.end(), std::numeric_limits<T>::quiet_NaN());
        }
        shared.memory = before.memory;
      }
      BOOST_TEST_CONTEXT(isa.name << " f" << 8 * sizeof(T) << " m " << m << " n " << n << " k " << k) {
        check_bits(c, whole);
      }
    }
  });
  BOOST_TEST(packed > 400);  // of at most 400 for each dtype and instruction set
}

// Rows so far apart share a set of the first cache, where a tile may have more of them than that has ways.
BOOST_AUTO_TEST_CASE(rows_a_page_apart_have_the_bits_of_close_ones) {
  std::mt19937 random(13);
  for_isas_and_dtypes([&]<class T>(const Isa& isa, T) {
    constexpr int64_t page = 4096 / static_cast<int64_t>(sizeof(T));
    for (const int64_t rows : {1, 9, 30}) {
      for (const int64_t cols : {5, 40, 100}) {
        Matrix<T> wide(rows, page, Layout::row_major), close(rows, 70, Layout::row_major);
        Matrix<T> b(70, cols, Layout::row_major), c(rows, cols, Layout::row_major), expected = c;
        wide.fill(random);
        b.fill(random);
        for (int64_t i = 0; i < rows; ++i) {
          for (int64_t p = 0; p < close.cols; ++p) close.at(i, p) = wide.at(i, p);
        }
        run(isa, args_of(close, b, expected));
        gl::GemmArgs<T> args = args_of(close, b, c);
        args.a = wide.data();
        args.a_row = wide.row;
        run(isa, args);
        BOOST_TEST_CONTEXT(isa.name << " f" << 8 * sizeof(T) << " rows " << rows << " columns " << cols) {
          check_bits(c, expected);
        }
      }
    }
  });
}

// A large result of short sums is written row by row; a few of its rows are not.
BOOST_AUTO_TEST_CASE(large_products_of_short_sums_have_the_bits_of_small_ones) {
  std::mt19937 random(14);
  for_isas_and_dtypes([&]<class T>(const Isa& isa, T) {
    for (const auto& [m, n, k] :
         {std::array<int64_t, 3>{1100, 256, 64}, {700, 401, 33}, {230, 2100, 100}, {520, 530, 256}}) {
      for (const Layout of_b : {Layout::row_major, Layout::col_major}) {
        Matrix<T> a(m, k, Layout::row_major), b(k, n, of_b), c(m, n, Layout::row_major), expected = c;
        a.fill(random);
        b.fill(random);
        run(isa, args_of(a, b, c));
        constexpr int64_t few = 100;
        for (int64_t row = 0; row < m; row += few) {
          gl::GemmArgs<T> args = args_of(a, b, expected);
          args.m = std::min(few, m - row);
          args.a += row * args.a_row;
          args.c += row * args.c_row;
          run(isa, args);
        }
        BOOST_TEST_CONTEXT(isa.name << " f" << 8 * sizeof(T) << " " << m << "x" << n << "x" << k) {
          check_bits(c, expected);
        }
      }
    }
  });
}

// The same with an epilogue that walks through memory of its own: in parts that lie along rows. A is read in place,
// packed, too large to be packed at once, or packed once for blocks side by side.
BOOST_AUTO_TEST_CASE(epilogues_of_short_sums_see_every_element_once) {
  std::mt19937 random(15);
  for_isas_and_dtypes([&]<class T>(const Isa& isa, T) {
    for (const Layout of_a : {Layout::row_major, Layout::col_major}) {
      for (const Layout of_b : {Layout::row_major, Layout::col_major}) {
        const auto check = [&](int64_t m, int64_t n, int64_t k, gl::GemmGrid grid) {
          check_epilogue<T>(isa, m, n, k, of_a, of_b, Layout::row_major, grid, random, true);
        };
        check(230, 128, 1, {1, 1});
        check(241, 401, 33, {1, 1});
        check(1301, 300, 251, {1, 1});
        check(700, 530, 256, {2, 2});
      }
    }
  });
}

BOOST_AUTO_TEST_CASE(products_cut_along_k_have_the_bits_of_whole_ones) {
  std::mt19937 random(10);
  for_isas_and_dtypes([&]<class T>(const Isa& isa, T) {
    for (const int64_t k : {1, 512, 513, 1500, 5000}) {
      const int64_t m = 37, n = 70;
      Matrix<T> a(m, k, Layout::row_major), b(k, n, Layout::col_major), whole(m, n, Layout::row_major);
      Matrix<T> c(m, n, Layout::col_major), copied(m, n, Layout::row_major);
      a.fill(random);
      b.fill(random);
      run(isa, args_of(a, b, whole));
      const gl::GemmGrid grid{1, 1, std::min<int64_t>(4, gl::gemm_chunks(k))};
      std::vector<T> partials(static_cast<size_t>(m * n * gl::gemm_chunks(k)));
      gl::GemmArgs<T> args = args_of(a, b, c);
      for (int64_t depth = 0; depth < grid.depths; ++depth) {
        const gl::GemmRange chunks = gl::gemm_grid_chunks(grid, k, depth);
        for (int64_t i = 0; i < chunks.size; ++i) run(isa, gl::gemm_chunk(args, chunks.begin + i, partials.data()));
      }
      gl::gemm_combine(args, partials.data());
      check_bits(c, whole);
      Copy<T> copy{&copied, isa.vector_bytes, std::vector<int64_t>(static_cast<size_t>(n), 0)};
      const gl::GemmEpilogue<T> epilogue{Copy<T>::run, &copy};
      args.epilogue = &epilogue;
      args.c = nullptr;
      gl::gemm_combine(args, partials.data());
      check_bits(copied, whole);
    }
  });
  const gl::GemmGrid deep = gl::gemm_grid(64, 64, 8192);
  BOOST_TEST((deep.rows == 2 && deep.cols == 1 && deep.depths == 8));
}

BOOST_AUTO_TEST_CASE(workspace_never_shrinks_when_a_dimension_grows) {
  const gl::GemmKernels& kernels = gl::baseline::gemm_kernels;
  std::mt19937 random(8);
  std::uniform_int_distribution<int64_t> size(0, 2500), step(0, 600);
  for (int i = 0; i < 2000; ++i) {
    const int64_t m = size(random), n = size(random), k = size(random);
    for (size_t bytes : {sizeof(float), sizeof(double)}) {
      BOOST_TEST(kernels.workspace_bytes(m, n, k, bytes) <=
                 kernels.workspace_bytes(m + step(random), n + step(random), k + step(random), bytes));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
