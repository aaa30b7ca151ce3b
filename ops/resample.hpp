#pragma once

#include <gradloom/graph/tensor.hpp>

#include <cstdint>
#include <vector>

namespace gradloom::inline v0 {

struct OpDef;

/// Attributes axis; taps; indices and weights, a Literal of f64, [size, taps].
GRADLOOM_API extern const OpDef resample_def;
/// Also "size", that of the axis before it was resampled.
GRADLOOM_API extern const OpDef resample_transposed_def;

/// An axis of which each element is a weighted sum of `taps` elements of another: row i of the two lists, [size, taps],
/// names them and their weights.
struct Resampling {
  int64_t taps = 1;
  std::vector<int64_t> indices{};
  std::vector<double> weights{};
};

/// y[.., i, ..] = sum over k of weights[i, k] * x[.., indices[i, k], ..], in order of k, i and the indices along
/// `axis`: what interpolation along an axis is made of, a product with a matrix that is mostly zeros. Floats. Throws
/// Error for lists that do not fit each other, and for indices that x does not have; the size of the axis must be
/// known.
[[nodiscard]] GRADLOOM_API Tensor resample(const Operand& x, int axis, const Resampling& resampling);

}  // namespace gradloom::inline v0
