#include "start_values.hpp"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace bench {

gl::Array permuted(const std::vector<int64_t>& theirs, const std::vector<size_t>& order, float bound, uint64_t seed) {
  int64_t count = 1;
  std::vector<int64_t> their_strides(theirs.size());
  for (size_t axis = theirs.size(); axis-- > 0; count *= theirs[axis]) their_strides[axis] = count;
  std::vector<float> elements(static_cast<size_t>(count));
  peers::fill_uniform(elements.data(), elements.size(), -bound, bound, seed);
  std::vector<int64_t> sizes, strides;
  for (const size_t axis : order) {
    sizes.push_back(theirs[axis]);
    strides.push_back(their_strides[axis]);
  }
  return gl::Array::view(elements.data(), sizes, strides).clone();
}

namespace {

/// Weights [..., in, out], from the stream that fills the [out, in, ...] of the peers. Where a dense layer follows
/// images with so many channels, their pixels are the inner part of what it reads, and ours the outer.
gl::Array weights(const std::vector<int64_t>& sizes, int64_t channels, uint64_t seed) {
  const int64_t out = sizes.back(), in = sizes[sizes.size() - 2], pixels = in % channels == 0 ? in / channels : 1;
  int64_t fan_in = 1;
  for (size_t i = 0; i + 1 < sizes.size(); ++i) fan_in *= sizes[i];
  const float bound = 1.0f / std::sqrt(static_cast<float>(fan_in));
  if (sizes.size() == 4) return permuted({out, in, sizes[0], sizes[1]}, {2, 3, 1, 0}, bound, seed);
  const gl::Array dense = permuted({out, in / pixels, pixels}, {2, 1, 0}, bound, seed);
  return gl::Array::view(dense.data<const float>().data(), sizes).clone();
}

gl::Array filled(const std::vector<int64_t>& sizes, float value) {
  gl::Array array(sizes);
  for (float& element : array.data<float>()) element = value;
  return array;
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

gl::Array images(const std::vector<int64_t>& theirs, uint64_t seed) { return permuted(theirs, {0, 2, 3, 1}, 1, seed); }

void set_parameters(gl::State& state, const gl::Graph& graph) {
  uint64_t seed = peers::kParameterSeed;
  int64_t channels = 1;  // of the last convolution
  for (const gl::Tensor& parameter : graph.parameters()) {
    const std::vector<int64_t> sizes = parameter.shape().sizes();
    const std::string name = parameter.name();
    if (name.find("cache/") != std::string::npos) continue;  // is no weight
    if (name.ends_with("/table")) {                          // [count, width], here and there
      state.set(name, permuted(sizes, {0, 1}, 1.0F / std::sqrt(static_cast<float>(sizes[1])), seed));
    } else if (sizes.size() >= 2) {
      state.set(name, weights(sizes, sizes.size() == 2 ? channels : 1, seed));
      channels = sizes.size() == 4 ? sizes.back() : 1;
    } else {
      state.set(name, filled(sizes, name.ends_with("/gain") || name.ends_with("/running_variance") ? 1 : 0));
    }
    if (!name.ends_with("/running_mean") && !name.ends_with("/running_variance")) ++seed;
  }
}

}  // namespace bench
