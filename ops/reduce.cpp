// sum, prod, max, min over any axes: their definitions. The kernels are in reduce_kernel.cpp.
#include <algorithm>

#include <fmt/format.h>

#include <gradloom/graph/error.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/reduce_plan_internal.hpp>
#include <gradloom/ops/reduce_shape_internal.hpp>
#include <gradloom/ops/sample.hpp>

namespace gradloom::inline v0 {

namespace baseline {
extern const ReduceKernels sum_kernels;
}
namespace avx2 {
extern const ReduceKernels sum_kernels;
}
namespace avx512 {
extern const ReduceKernels sum_kernels;
}

namespace {

std::vector<TensorType> accumulating_shape(const ShapeContext& context) {
  const DType dtype = context.dtype(0);
  if (!is_float(dtype) && dtype != DType::i64) context.fail(fmt::format("it takes i64, f32, f64, not {}", to_string(dtype)));
  return reduced_shape(context);
}

Tensor accumulate(const OpDef& op, const Operand& x, const ReduceOptions& options) {
  const SourceScope scope(x, op.name);
  return reduce(op, is_float(x.tensor().dtype()) ? x : Operand(cast(x, DType::i64), x.location()), options);
}

// d sum / dx = 1 for each element.
Gradients sum_vjp(const Vjp& v) {
  const std::vector<int64_t>& axes = v.attributes().get<std::vector<int64_t>>("axes");
  if (!v.attributes().get<bool>("keepdims") && axes.back() >= static_cast<int64_t>(axes.size())) {
    return {Gradient::not_implemented("it needs reshape")};
  }
  return {broadcast(v.cotangent(), v.input(0).shape())};
}

std::vector<Sample> samples() {
  const auto sample = [](std::vector<int64_t> sizes, std::vector<int64_t> axes, bool keepdims) {
    return Sample{.inputs = {{std::move(sizes)}}, .attributes = {{"axes", std::move(axes)}, {"keepdims", keepdims}}};
  };
  return {sample({7}, {0}, false),          sample({7}, {0}, true),           sample({3, 5}, {0}, false),
          sample({3, 5}, {1}, true),        sample({3, 5}, {0, 1}, false),    sample({2, 3, 4}, {1}, false),
          sample({2, 3, 4}, {0, 2}, true),  sample({2, 3, 2, 3}, {0, 2}, false), sample({2, 3, 2, 3}, {1, 3}, false)};
}

}  // namespace

const OpDef sum_def{.name = "sum",
                    .inputs = {"x"},
                    .rule = "sum needs axes of x, each once",
                    .shape = accumulating_shape,
                    .vjp = sum_vjp,
                    .plan = [](const KernelRequest& request) {
                      return plan_reduce(request, request.pick(baseline::sum_kernels, avx2::sum_kernels, avx512::sum_kernels));
                    },
                    .samples = samples};

Tensor sum(const Operand& x, const ReduceOptions& options) { return accumulate(sum_def, x, options); }

}  // namespace gradloom::inline v0
