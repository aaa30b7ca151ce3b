// The first step of every op that takes indices: it throws before the op has written anything, and the executor runs
// all such steps before anything in the State is written.
#pragma once

#include <gradloom/graph/error.hpp>
#include <gradloom/ops/kernel.hpp>

namespace gradloom::inline v0 {

/// Fails unless the input's dtype is i32 or i64.
void require_index_dtype(const ShapeContext& context, int input);

/// What the check needs to know. Params of an op that takes indices begin with it.
struct IndexCheck {
  int input = 0;               // which one holds the indices
  int64_t size = 0;            // each must be below it
  DType dtype = DType::i64;    // of the indices
  std::vector<int64_t> sizes;  // their shape
  int64_t count = 0;           // their number
  std::string limit;           // why, for the message: "axis 0 of x has size 10"
  ErrorParts error;            // all but the problem
};

[[nodiscard]] IndexCheck make_index_check(const KernelRequest& request, int input, int64_t size, std::string limit);

/// The step's kernel; call.params points to what begins with an IndexCheck.
void check_indices(const KernelCall& call);

/// A negative axis counted from the front, if there is one; for the shape rule to judge if not.
[[nodiscard]] inline int64_t from_front(int64_t axis, int rank) {
  return axis < 0 && axis >= -rank ? axis + rank : axis;
}

/// Sizes [outer, size, inner] as which a kernel sees a tensor that it indexes along one axis.
struct AxisView {
  int64_t outer = 1, size = 1, inner = 1;

  AxisView() = default;
  AxisView(const std::vector<int64_t>& sizes, int64_t axis) : size(sizes[static_cast<size_t>(axis)]) {
    for (size_t i = 0; i < static_cast<size_t>(axis); ++i) outer *= sizes[i];
    for (size_t i = static_cast<size_t>(axis) + 1; i < sizes.size(); ++i) inner *= sizes[i];
  }
};

/// Calls f with a typed pointer to the indices, which were checked.
template <class F>
void with_indices(const IndexCheck& check, const void* const* inputs, F f) {
  const void* const indices = inputs[check.input];
  if (check.dtype == DType::i32) {
    f(static_cast<const int32_t*>(indices));
  } else {
    f(static_cast<const int64_t*>(indices));
  }
}

}  // namespace gradloom::inline v0
