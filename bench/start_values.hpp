// The numbers that all programs of the comparison start from (peers/peer_data.hpp), as Arrays.
#pragma once

#include "peers/peer_data.hpp"
#include <gradloom/graph/graph.hpp>
#include <gradloom/runtime/array.hpp>
#include <gradloom/runtime/state.hpp>

#include <cstdint>
#include <initializer_list>
#include <vector>

namespace bench {

namespace gl = gradloom;

/// f32, uniform in [-1, 1).
[[nodiscard]] gl::Array uniform(const std::vector<int64_t>& sizes, uint64_t seed);

/// i32, class numbers below `classes`.
[[nodiscard]] gl::Array labels(std::initializer_list<int64_t> sizes, uint32_t classes);

/// Gives every parameter that the graph has so far its start value, numbered in order of creation, which must be that
/// of the peers. So this is called before an optimiser adds its own.
void set_parameters(gl::State& state, const gl::Graph& graph);

}  // namespace bench
