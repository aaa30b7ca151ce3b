#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

struct OpDef;

/// What dropout multiplies the weights of an attention with: 0 with probability `rate`, else 1 / (1 - rate). Input: a
/// key, i64, which decides all of them. Attributes shape [..., queries, keys], rate, dtype. An element is a function of
/// the key, the row (counted over all axes before the last) and the column alone.
GRADLOOM_API extern const OpDef attention_dropout_def;

}  // namespace gradloom::inline v0
