// Ops that a user's program might register in its own files: nothing of the library knows them.
#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::test {

/// x, if no element is negative; else the run throws std::runtime_error("element 3 is negative").
Tensor not_negative(const Operand& x);

/// x, by a kernel of `chunks` chunks of which each waits (5 seconds at most) until as many threads are inside the op as
/// the environment of the test asks for. Proves that so many threads took part.
Tensor meet(const Operand& x, int threads);

/// How many threads were seen inside `meet` at once since the last call.
int threads_that_met();

/// 2x, pointwise, with kernels for baseline only.
Tensor twice(const Operand& x);

}  // namespace gradloom::test
