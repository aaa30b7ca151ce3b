// Ops that move elements and compute nothing.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;
GRADLOOM_API extern const OpDef broadcast_def;

/// x stretched to `shape` by NumPy's rules: axes are aligned at the right, and an axis of x that is a literal 1, or
/// missing, is repeated. Throws Error if another axis differs. Returns x itself if the shape is x's.
[[nodiscard]] GRADLOOM_API Tensor broadcast(const Operand& x, const Shape& shape);

}  // namespace gradloom::inline v0
