#include "start_values.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

namespace {

/// Sets a dense weight [in, out], from the stream that fills the [out, in] of the peers.
void set_dense_weight(gl::State& state, std::string_view name, int64_t in, int64_t out, uint64_t seed) {
  const float bound = 1.0f / std::sqrt(static_cast<float>(in));
  std::vector<float> theirs(static_cast<size_t>(in * out));
  peers::fill_uniform(theirs.data(), theirs.size(), -bound, bound, seed);
  const int64_t sizes[] = {in, out}, strides[] = {1, in};
  state.set(name, gl::Array::view(theirs.data(), sizes, strides));
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
    const std::string name = parameter.name();
    if (name.ends_with("/table")) {  // [count, width], here and there
      const float bound = 1.0F / std::sqrt(static_cast<float>(sizes[1]));
      gl::Array table(sizes);
      peers::fill_uniform(table.data<float>().data(), table.data<float>().size(), -bound, bound, seed);
      state.set(name, table);
    } else if (name.ends_with("/gain")) {
      gl::Array ones(sizes);
      std::ranges::fill(ones.data<float>(), 1.0F);
      state.set(name, ones);
    } else if (sizes.size() == 2) {
      set_dense_weight(state, name, sizes[0], sizes[1], seed);
    } else {
      state.set(name, gl::Array(sizes));
    }
    ++seed;
  }
}

}  // namespace bench
