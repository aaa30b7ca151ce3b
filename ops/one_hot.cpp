// one_hot: a row per index, 1 at the index. An op of its own, and no comparison with iota, because a label that is no
// class must be an Error and not a row of zeros.
#include <gradloom/graph/with_type_internal.hpp>
#include <gradloom/ops/gather.hpp>
#include <gradloom/ops/index_check_internal.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0 {

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  require_index_dtype(context, 0);
  const Dim& classes = context.attributes().get<Dim>("classes");
  if (classes.known() && classes.value() < 0)
    context.fail(fmt::format("the number of classes is {}", classes.to_string()));
  std::vector<Dim> dims = context.shape(0).dims();
  dims.push_back(classes);
  return {{context.attributes().get<DType>("dtype"), Shape(std::move(dims))}};
}

struct OneHotParams {
  IndexCheck check;
  int64_t classes = 0;
};

constexpr int64_t grain = int64_t{64} * 1024;

template <class T>
void write_rows(const KernelCall& call) {
  const auto& params = *static_cast<const OneHotParams*>(call.params);
  T* const to = static_cast<T*>(call.outputs[0]);
  const int64_t begin = chunk_begin(params.check.count, call.chunks, call.chunk);
  const int64_t end = chunk_begin(params.check.count, call.chunks, call.chunk + 1);
  call.count((end - begin) * static_cast<int64_t>(size_of(params.check.dtype)),
             (end - begin) * params.classes * static_cast<int64_t>(sizeof(T)));
  std::fill(to + begin * params.classes, to + end * params.classes, T{0});
  with_indices(params.check, call.inputs, [&](const auto* indices) {
    for (int64_t row = begin; row < end; ++row) to[row * params.classes + static_cast<int64_t>(indices[row])] = T{1};
  });
}

KernelPlan plan(const KernelRequest& request) {
  auto params = std::make_shared<OneHotParams>();
  params->classes = request.output_sizes().back();
  params->check = make_index_check(request, 0, params->classes, fmt::format("there are {} classes", params->classes));
  const int64_t rows = params->check.count, count = rows * params->classes;
  KernelPlan plan;
  if (rows > 0) plan.steps.push_back({check_indices, 1});
  if (count > 0) {
    const Kernel kernel =
        with_type(request.output().dtype, [](auto zero) -> Kernel { return write_rows<decltype(zero)>; });
    plan.steps.push_back({kernel, std::min(rows, chunk_count(count, grain))});
  }
  plan.nanoseconds = 20 + 2 * static_cast<double>(rows) + 0.2 * static_cast<double>(count);
  plan.params = std::move(params);
  return plan;
}

std::vector<Sample> samples() {
  return {{.inputs = {{{2, 3}, 0, 4, DType::i64}},
           .attributes = {{"classes", Dim(5)}, {"dtype", DType::f32}},
           .differentiable = false},
          {.inputs = {{{6}, 0, 2, DType::i32}},
           .attributes = {{"classes", Dim(3)}, {"dtype", DType::boolean}},
           .differentiable = false}};
}

}  // namespace

const OpDef one_hot_def{.name = "one_hot",
                        .inputs = {"indices"},
                        .rule = "one_hot needs indices from 0 to below the number of classes, i32 or i64",
                        .shape = shape,
                        .no_gradient = "its input is an index",
                        .plan = plan,
                        .properties = {.may_throw = true},
                        .samples = samples};

Tensor one_hot(const Operand& indices, const Dim& classes, DType dtype) {
  const SourceScope scope(indices, "one_hot");
  const Tensor& tensor = indices.tensor();
  return tensor.graph().add(one_hot_def, {&tensor, 1}, {{"classes", classes}, {"dtype", dtype}}, indices.location());
}

}  // namespace gradloom::inline v0
