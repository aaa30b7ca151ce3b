#pragma once

#include <cstdint>
#include <vector>

#include <gradloom/graph/op_def.hpp>
#include <gradloom/graph/tensor.hpp>

namespace gradloom::inline v0 {

/// Which axes a reduction runs over, and whether they stay as size 1.
struct ReduceOptions {
  std::vector<int64_t> axes{};  ///< negative ones count from the end; none given means all
  bool keepdims = false;
};

/// The sum over the axes. Integers and booleans are summed in i64.
[[nodiscard]] GRADLOOM_API Tensor sum(const Operand& x, const ReduceOptions& options = {});

}  // namespace gradloom::inline v0
