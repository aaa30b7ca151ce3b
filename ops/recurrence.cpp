// exclusive_recurrence: y[0] = start, y[i + 1] = a[i] y[i] + b[i]. A first-order linear recurrence (Blelloch 1990,
// Prefix sums and their applications, 1.4), chosen as primitive because its gradient is one too: with the cotangent c
// of y and m[i] the cotangent of y[i + 1], m[i] = c[i + 1] + a[i + 1] m[i + 1], which is the recurrence of (a, c) from
// the end; then the cotangent of b[i] is m[i], and that of a[i] is m[i] y[i].
#include <gradloom/ops/reduce_table_internal.hpp>

namespace gradloom::inline v0 {

struct RecurrenceParams {
  const ReduceParams* form = nullptr;
  bool reverse = false;
  double start = 0;
};

/// Work items [begin, end), which are (row, tile of the line).
using RecurrenceLoop = void (*)(const RecurrenceParams& params, const void* a, const void* b, void* y, int64_t begin,
                                int64_t end);

struct RecurrenceKernels {
  RecurrenceLoop f32, f64, i64;
};

}  // namespace gradloom::inline v0

#ifdef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/reduce_loop_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

namespace {

template <class T>
void recur(const RecurrenceParams& params, const void* a, const void* b, void* y, int64_t begin, int64_t end) {
  const ReduceParams& form = *params.form;
  const T *const as = static_cast<const T*>(a), *const bs = static_cast<const T*>(b);
  T* const ys = static_cast<T*>(y);
  const int64_t tiles = (form.width + reduce_tile - 1) / reduce_tile;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t left = item % tiles * reduce_tile;
    const int64_t width = form.width - left < reduce_tile ? form.width - left : reduce_tile;
    const int64_t base = offset_of(form.kept, item / tiles) + left;
    T state[reduce_tile], start;
    if constexpr (std::is_integral_v<T>) {
      start = static_cast<T>(static_cast<int64_t>(params.start));
    } else {
      start = static_cast<T>(params.start);
    }
    for (int64_t j = 0; j < width; ++j) state[j] = start;
    for (int64_t i = 0; i < form.terms; ++i) {
      const int64_t run = base + offset_of(form.reduced, params.reverse ? form.terms - 1 - i : i);
      for (int64_t k = 0; k < form.length; ++k) {
        const int64_t line = run + (params.reverse ? form.length - 1 - k : k) * form.stride;
        for (int64_t j = 0; j < width; ++j) {
          ys[line + j] = state[j];
          state[j] = as[line + j] * state[j] + bs[line + j];
        }
      }
    }
  }
}

}  // namespace

extern const RecurrenceKernels recurrence_kernels;
// Integers wrap around, as unsigned ones do.
const RecurrenceKernels recurrence_kernels{recur<float>, recur<double>, recur<uint64_t>};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#else

#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/recurrence.hpp>
#include <gradloom/ops/reduce_plan_internal.hpp>
#include <gradloom/ops/reduce_shape_internal.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace gradloom::inline v0 {

namespace baseline {
extern const RecurrenceKernels recurrence_kernels;
}
namespace avx2 {
extern const RecurrenceKernels recurrence_kernels;
}
namespace avx512 {
extern const RecurrenceKernels recurrence_kernels;
}

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  if (!is_float(context.dtype(0)) && context.dtype(0) != DType::i64) {
    context.fail(fmt::format("it takes i64, f32, f64, not {}", to_string(context.dtype(0))));
  }
  if (context.dtype(1) != context.dtype(0)) context.fail("the dtypes differ");
  if (context.shape(1).rank() != context.shape(0).rank()) context.fail("the ranks differ");
  (void)reduced_axes(context);
  std::vector<Dim> dims;
  for (int axis = 0; axis < context.shape(0).rank(); ++axis) {
    dims.push_back(context.require_equal(context.shape(0)[axis], context.shape(1)[axis], "the sizes of the operands"));
  }
  return {{context.dtype(0), Shape(std::move(dims))}};
}

Gradients vjp(const Vjp& v) {
  const Tensor m = exclusive_recurrence(
      v.input(0), v.cotangent(), {.axes = axes_of(v.attributes()), .reverse = !v.attributes().get<bool>("reverse")});
  return {m * v.output(), m};
}

struct RecurrencePlan {
  RecurrencePlan(const std::vector<int64_t>& sizes, const std::vector<int64_t>& axes) : form(sizes, axes) {}

  ReduceForm form;
  RecurrenceParams params{};
  RecurrenceLoop loop = nullptr;
  int64_t bytes = 0;  // of each operand, and of the result
};

void run(const KernelCall& call) {
  const auto& plan = *static_cast<const RecurrencePlan*>(call.params);
  const int64_t items = plan.form.item_count();
  const int64_t bytes = chunk_size(plan.bytes, call.chunks, call.chunk);
  call.count(2 * bytes, bytes);
  plan.loop(plan.params, call.inputs[0], call.inputs[1], call.outputs[0], chunk_begin(items, call.chunks, call.chunk),
            chunk_begin(items, call.chunks, call.chunk + 1));
}

KernelPlan plan(const KernelRequest& request) {
  const RecurrenceKernels& kernels =
      request.pick(baseline::recurrence_kernels, avx2::recurrence_kernels, avx512::recurrence_kernels);
  auto made = std::make_shared<RecurrencePlan>(request.input_sizes(0), axes_of(request.attributes()));
  made->params = {&made->form.params, request.attributes().get<bool>("reverse"),
                  request.attributes().get<double>("start")};
  const DType dtype = request.input(0).dtype;
  made->loop = dtype == DType::f32 ? kernels.f32 : dtype == DType::f64 ? kernels.f64 : kernels.i64;
  const int64_t count = made->form.element_count();
  if (count == 0) return {};
  made->bytes = count * static_cast<int64_t>(size_of(request.input(0).dtype));
  KernelPlan result;
  result.steps = {{run, std::min(reduce_chunks(count), made->form.item_count())}};
  result.nanoseconds = 20 + 2 * static_cast<double>(count);
  result.params = std::move(made);
  return result;
}

std::vector<Sample> samples() {
  const auto sample = [](const std::vector<int64_t>& sizes, std::vector<int64_t> axes, bool reverse, double start) {
    return Sample{.inputs = {{sizes}, {sizes}},
                  .attributes = {{"axes", std::move(axes)}, {"reverse", reverse}, {"start", start}}};
  };
  return {sample({5}, {0}, false, 1), sample({4, 3}, {0}, true, 0), sample({2, 3, 2}, {0, 2}, false, 0.5)};
}

}  // namespace

const OpDef exclusive_recurrence_def{
    .name = "exclusive_recurrence",
    .inputs = {"a", "b"},
    .rule = "exclusive_recurrence needs two tensors of floats or of i64, of one shape, and axes of them, each once",
    .shape = shape,
    .vjp = vjp,
    .plan = plan,
    .samples = samples};

Tensor exclusive_recurrence(const Operand& a, const Operand& b, const RecurrenceOptions& options) {
  const SourceScope scope(a, "exclusive_recurrence");
  const Tensor inputs[] = {a.tensor(), b.tensor()};
  return a.tensor().graph().add(
      exclusive_recurrence_def, inputs,
      {{"axes", normal_axes(options.axes, a.tensor().rank())}, {"reverse", options.reverse}, {"start", options.start}},
      a.location());
}

}  // namespace gradloom::inline v0

#endif
