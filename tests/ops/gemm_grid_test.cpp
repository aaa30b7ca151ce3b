// How a product is cut into blocks, and k into chunks.
#include <gradloom/ops/gemm.hpp>

#include <boost/test/unit_test.hpp>

#include <random>

namespace gl = gradloom;

BOOST_AUTO_TEST_SUITE(ops_gemm_grid)

BOOST_AUTO_TEST_CASE(grids_cover_every_element_once) {
  std::mt19937 random(7);
  std::uniform_int_distribution<int64_t> size(1, 3000);
  for (int i = 0; i < 2000; ++i) {
    const int64_t m = i % 5 == 0 ? size(random) % 4 + 1 : size(random), n = size(random), k = size(random);
    const gl::GemmGrid grid = gl::gemm_grid(m, n, k, i % 2 == 0, i % 3 == 0);
    BOOST_TEST(grid.rows * grid.cols * grid.depths <= 16);
    int64_t rows = 0, cols = 0, chunks = 0;
    for (int64_t d = 0; d < grid.depths; ++d) {
      const gl::GemmRange range = gl::gemm_grid_chunks(grid, k, d);
      BOOST_TEST((range.begin == chunks && range.size > 0));
      chunks += range.size;
    }
    BOOST_TEST(chunks == gl::gemm_chunks(k));
    for (int64_t r = 0; r < grid.rows; ++r) {
      const gl::GemmRange range = gl::gemm_grid_rows(grid, m, r);
      BOOST_TEST((range.begin == rows && range.size > 0));
      rows += range.size;
    }
    for (int64_t c = 0; c < grid.cols; ++c) {
      const gl::GemmRange range = gl::gemm_grid_cols(grid, n, c);
      BOOST_TEST((range.begin == cols && range.size > 0));
      cols += range.size;
    }
    BOOST_TEST((rows == m && cols == n));
  }
  const gl::GemmGrid tiny = gl::gemm_grid(32, 4, 2);
  BOOST_TEST((tiny.rows == 1 && tiny.cols == 1));
}

BOOST_AUTO_TEST_SUITE_END()
