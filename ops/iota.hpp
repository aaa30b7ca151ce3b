#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

/// No inputs; attributes shape, axis, dtype.
GRADLOOM_API extern const OpDef iota_def;

/// A tensor whose elements are their own index along `axis`: 0, 1, 2, ... Any shape, symbolic ones too. Any dtype but
/// boolean; f32 is exact up to 2^24. Throws Error if there is no such axis or if an index does not fit in the dtype.
///   iota(g, {2, 3}, 1)  // [[0, 1, 2], [0, 1, 2]]
[[nodiscard]] GRADLOOM_API Tensor iota(Graph& graph, const Shape& shape, int axis = 0, DType dtype = DType::i64,
                                       SourceLocation location = SourceLocation::current());

}  // namespace gradloom::inline v0
