// The numbers that all programs of the comparison start from (peers/peer_data.hpp), as Arrays.
#pragma once

#include "peers/peer_data.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/runtime/array.hpp>
#include <gradloom/runtime/state.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace bench {

namespace gl = gradloom;

/// f32, uniform in [-1, 1).
[[nodiscard]] gl::Array uniform(const std::vector<int64_t>& sizes, uint64_t seed);

/// f32, uniform in [-bound, bound): the peers' array of those sizes, with its axes in another order.
[[nodiscard]] gl::Array permuted(const std::vector<int64_t>& theirs, const std::vector<size_t>& order, float bound,
                                 uint64_t seed);

/// Images of the peers' sizes [batch, channels, height, width], uniform in [-1, 1), with the channels last.
[[nodiscard]] gl::Array images(const std::vector<int64_t>& theirs, uint64_t seed);

/// i32, class numbers below `classes`.
[[nodiscard]] gl::Array labels(std::initializer_list<int64_t> sizes, uint32_t classes);

/// Gives every parameter that the graph has so far its start value, numbered in order of creation, which must be that
/// of the peers. So this is called before an optimiser adds its own.
void set_parameters(gl::State& state, const gl::Graph& graph);

}  // namespace bench
