// How a loop of a pointwise op is judged: against the op's reference in double, against itself at other places and
// lengths, in place, and with its operands swapped.
#pragma once

#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/pointwise_table.hpp>
#include <gradloom/ops/sample.hpp>

#include <stdexcept>
#include <string>
#include <vector>

namespace gradloom::test {

/// One loop of one op: for an instruction set, a dtype, and the attributes of a sample.
struct Loop {
  const OpDef& op;
  Isa isa;
  DType dtype;
  PointwiseLoop run;
  std::vector<DType> inputs{};
  DType output{};

  [[nodiscard]] std::string name() const;
};

Loop make_loop(const OpDef& op, Isa isa, DType dtype, const Attributes& attributes);

/// The elements of each input.
using Columns = std::vector<std::vector<double>>;

/// Drawn from the ranges of a sample.
Columns random_columns(const Loop& loop, const Sample& sample, size_t count);
/// Every combination of zeros, infinities, nan, the largest and the smallest numbers, and the like.
Columns special_columns(const Loop& loop);

/// Why a loop is wrong: the message. Thrown by all of these checks, as is a write beyond the output's end.
struct Disagreement : std::runtime_error {
  using runtime_error::runtime_error;
};

/// Values agree with the reference, within what the op states. Reports the worst element.
void check_values(const Loop& loop, const Columns& columns);
/// The bits depend neither on where an element is, nor on how many there are, nor on which input the output lies over.
void check_places(const Loop& loop, const std::vector<Sample>& samples);
/// The first two operands may be swapped, if the op says so.
void check_swapped(const Loop& loop, const std::vector<Sample>& samples);

}  // namespace gradloom::test
