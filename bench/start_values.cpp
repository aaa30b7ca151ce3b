#include "start_values.hpp"

#include <cmath>
#include <string>
#include <vector>

namespace bench {

namespace {

/// A dense weight [in, out], from the stream that fills the [out, in] of the peers.
gl::Array dense_weight(int64_t in, int64_t out, uint64_t seed) {
  const float bound = 1.0f / std::sqrt(static_cast<float>(in));
  std::vector<float> theirs(static_cast<size_t>(in * out));
  peers::fill_uniform(theirs.data(), theirs.size(), -bound, bound, seed);
  const int64_t sizes[] = {in, out}, strides[] = {1, in};
  return gl::Array::view(theirs.data(), sizes, strides).clone();
}

}  // namespace

gl::Array uniform(const std::vector<int64_t>& sizes, uint64_t seed) {
  gl::Array array(sizes);
  peers::fill_uniform(array.data<float>().data(), array.data<float>().size(), -1, 1, seed);
  return array;
}

gl::Array labels(std::initializer_list<int64_t> sizes, uint32_t classes) {
  gl::Array array(sizes, gl::DType::i32);
  peers::fill_labels(array.data<int32_t>().data(), array.data<int32_t>().size(), classes, peers::kTargetSeed);
  return array;
}

void set_parameters(gl::State& state, const gl::Graph& graph) {
  uint64_t seed = peers::kParameterSeed;
  for (const gl::Tensor& parameter : graph.parameters()) {
    const std::vector<int64_t> sizes = parameter.shape().sizes();
    state.set(parameter.name(), sizes.size() == 2 ? dense_weight(sizes[0], sizes[1], seed) : gl::Array(sizes));
    ++seed;
  }
}

}  // namespace bench
