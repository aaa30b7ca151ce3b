// torch::mm behind a plain C name, so that gemm_suite loads libtorch (and the
// BLAS beneath it) only when it is asked for.
#include <torch/torch.h>

#include <cstring>

extern "C" [[gnu::visibility("default")]] void peer_torch_threads(int threads) {
  at::set_num_threads(threads);
  at::set_num_interop_threads(1);
}

extern "C" [[gnu::visibility("default")]] void peer_torch_gemm(bool trans_a, bool trans_b, int64_t m, int64_t n,
                                                               int64_t k, const float* a, const float* b, float* c) {
  torch::NoGradGuard no_grad;
  const auto wrap = [](const float* data, int64_t rows, int64_t cols) {
    return torch::from_blob(const_cast<float*>(data), {rows, cols});
  };
  const torch::Tensor left = trans_a ? wrap(a, k, m).t() : wrap(a, m, k);
  const torch::Tensor right = trans_b ? wrap(b, n, k).t() : wrap(b, k, n);
  torch::Tensor out = wrap(c, m, n);
  torch::mm_out(out, left, right);
}
