// Random tensors. Values are a function of the State's seed, the node's stream, the State's step and the element's
// index: new ones each training step, the same ones whenever that step is run again, at any number of threads. The
// stream is fixed when the node is built, by the open scopes and the number of random nodes before it in them.
#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

/// No inputs; attributes shape, dtype, stream and the distribution's numbers (low, high; mean, stddev; p).
GRADLOOM_API extern const OpDef random_uniform_def;
GRADLOOM_API extern const OpDef random_normal_def;
GRADLOOM_API extern const OpDef random_bernoulli_def;

/// Uniform in [low, high), f32 or f64, with 24 or 53 random bits. The same values on every instruction set. Throws
/// Error unless low <= high, both finite.
[[nodiscard]] GRADLOOM_API Tensor random_uniform(Graph& graph, const Shape& shape, double low = 0, double high = 1,
                                                 DType dtype = DType::f32,
                                                 SourceLocation location = SourceLocation::current());

/// Normal with that mean and standard deviation, f32 or f64 (Box & Muller 1958). The same values on every instruction
/// set to within a few ULP. Throws Error unless both are finite and stddev >= 0.
[[nodiscard]] GRADLOOM_API Tensor random_normal(Graph& graph, const Shape& shape, double mean = 0, double stddev = 1,
                                                DType dtype = DType::f32,
                                                SourceLocation location = SourceLocation::current());

/// 1 (true) with probability p, else 0, of any dtype; p is rounded to a multiple of 2^-32. The same values on every
/// instruction set. Throws Error unless 0 <= p <= 1.
[[nodiscard]] GRADLOOM_API Tensor random_bernoulli(Graph& graph, const Shape& shape, double p,
                                                   DType dtype = DType::boolean,
                                                   SourceLocation location = SourceLocation::current());

}  // namespace gradloom::inline v0
