// Sample inputs that an op gives to the conformance test. The harness derives the edge cases (empty, scalar, broadcast,
// 0, -0, inf, nan, vector and block sizes plus and minus one) from them by itself.
#pragma once

#include <gradloom/graph/attributes.hpp>
#include <gradloom/graph/dtype.hpp>

#include <cstdint>
#include <vector>

namespace gradloom::inline v0 {

struct SampleInput {
  std::vector<int64_t> sizes;
  double low = -2;  ///< values are drawn uniformly from [low, high]; integers and booleans from the integers in it
  double high = 2;
  DType dtype = DType::f32;
};

struct Sample {
  std::vector<SampleInput> inputs;
  Attributes attributes{};
  bool differentiable = true;  ///< false where finite differences would straddle a kink or the op has no gradient
};

}  // namespace gradloom::inline v0
