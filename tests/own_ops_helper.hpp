// Ops that a user's program might register in its own files: nothing of the library knows them.
#pragma once

#include <gradloom/graph/tensor.hpp>

namespace gradloom::test {

/// x, if no element is negative; else the run throws std::runtime_error("element 3 is negative").
Tensor not_negative(const Operand& x);

struct MeetOptions {
  int wait_ms = 5000;  ///< at most, for the others
  int sleep_ms = 0;    ///< each thread, after it met them
};

/// x, by a kernel of as many chunks as threads, of which each waits until so many threads are inside the op. Proves
/// that so many took part.
Tensor meet(const Operand& x, int threads, const MeetOptions& options = {});

/// x, in 16 chunks, each of which leaves a mark in its scratch and looks for it where KernelCall::continues says that
/// it is there.
Tensor follow(const Operand& x);

/// What the chunks of `follow` found since the last call.
struct Followed {
  int continued = 0, wrongly = 0;
};
Followed followed();

/// How many threads were seen inside `meet` at once since the last call.
int threads_that_met();

/// 2x, pointwise, with kernels for baseline only.
Tensor twice(const Operand& x);

}  // namespace gradloom::test
