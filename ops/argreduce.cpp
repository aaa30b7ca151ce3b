// argmax, argmin along one axis. Along a contiguous axis in two passes, both vectorised: the extremum, then the first
// element that equals it; the second pass reads from cache, and ends early. Along another axis line by line.
#include <gradloom/ops/reduce_table_internal.hpp>

namespace gradloom::inline v0 {

/// Work items [begin, end), which are (row, tile of the line).
using ArgReduceLoop = void (*)(const ReduceParams& form, const void* input, int64_t* output, int64_t begin,
                               int64_t end);

/// By the dtype (as a number) of the input.
struct ArgReduceKernels {
  ArgReduceLoop loops[dtype_count] = {};
};

}  // namespace gradloom::inline v0

#ifdef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/reduce_functors_internal.hpp>
#include <gradloom/ops/reduce_loop_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

namespace {

template <class T>
bool same_value(T a, T b) {
  return a == b || (a != a && b != b);
}

template <class Op, class T>
void arg_reduce(const ReduceParams& form, const void* input, int64_t* output, int64_t begin, int64_t end) {
  const int64_t tiles = (form.width + reduce_tile - 1) / reduce_tile;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t row = tiles == 1 ? item : item / tiles, left = tiles == 1 ? 0 : item % tiles * reduce_tile;
    const T* const x = static_cast<const T*>(input) + offset_of(form.kept, row) + left;
    int64_t* const out = output + row * form.width + left;
    if (form.stride == 1) {
      const T extremum = Reduction<Op, T>::fold_contiguous(x, form.length);
      int64_t at = 0;
      while (at + 1 < form.length && !same_value(x[at], extremum)) ++at;
      *out = at;
      continue;
    }
    const int64_t width = form.width - left < reduce_tile ? form.width - left : reduce_tile;
    T extrema[reduce_tile];
    for (int64_t j = 0; j < width; ++j) {
      extrema[j] = x[j];
      out[j] = 0;
    }
    for (int64_t i = 1; i < form.length; ++i) {
      const T* const line = x + i * form.stride;
      for (int64_t j = 0; j < width; ++j) {
        if (same_value(extrema[j], line[j]) || !same_value(Op{}(line[j], extrema[j]), line[j])) continue;
        extrema[j] = line[j];
        out[j] = i;
      }
    }
  }
}

template <class Op>
constexpr ArgReduceKernels kernels{{arg_reduce<Op, uint8_t>, arg_reduce<Op, uint8_t>, arg_reduce<Op, int32_t>,
                                    arg_reduce<Op, int64_t>, nullptr, arg_reduce<Op, float>, arg_reduce<Op, double>}};

}  // namespace

extern const ArgReduceKernels argmax_kernels, argmin_kernels;
const ArgReduceKernels argmax_kernels = kernels<Max>;
const ArgReduceKernels argmin_kernels = kernels<Min>;

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#else

#include <gradloom/ops/argreduce.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/reduce_plan_internal.hpp>
#include <gradloom/ops/reduce_shape_internal.hpp>
#include <gradloom/ops/sample.hpp>

#include <algorithm>

namespace gradloom::inline v0 {

namespace baseline {
extern const ArgReduceKernels argmax_kernels, argmin_kernels;
}
namespace avx2 {
extern const ArgReduceKernels argmax_kernels, argmin_kernels;
}
namespace avx512 {
extern const ArgReduceKernels argmax_kernels, argmin_kernels;
}

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  require_elements(context);
  return {{DType::i64, reduced_shape(context)[0].shape}};
}

struct ArgReducePlan {
  ArgReducePlan(const std::vector<int64_t>& sizes, const std::vector<int64_t>& axes) : form(sizes, axes) {}

  ReduceForm form;
  ArgReduceLoop loop = nullptr;
  int64_t read = 0, written = 0;  // bytes
};

void run(const KernelCall& call) {
  const auto& plan = *static_cast<const ArgReducePlan*>(call.params);
  const int64_t items = plan.form.item_count();
  call.count(chunk_size(plan.read, call.chunks, call.chunk), chunk_size(plan.written, call.chunks, call.chunk));
  plan.loop(plan.form.params, call.inputs[0], static_cast<int64_t*>(call.outputs[0]),
            chunk_begin(items, call.chunks, call.chunk), chunk_begin(items, call.chunks, call.chunk + 1));
}

KernelPlan plan(const KernelRequest& request, const ArgReduceKernels& kernels) {
  auto made = std::make_shared<ArgReducePlan>(request.input_sizes(0), axes_of(request.attributes()));
  made->loop = kernels.loops[static_cast<size_t>(request.input(0).dtype)];
  const int64_t count = made->form.element_count();
  if (count == 0) return {};
  made->read = count * static_cast<int64_t>(size_of(request.input(0).dtype));
  made->written = made->form.params.rows * made->form.params.width * static_cast<int64_t>(sizeof(int64_t));
  KernelPlan result;
  result.steps = {{run, std::min(reduce_chunks(count), made->form.item_count())}};
  result.nanoseconds = 20 + 0.5 * static_cast<double>(count);
  result.params = std::move(made);
  return result;
}

Tensor arg_reduce(const OpDef& op, const Operand& x, const ArgReduceOptions& options) {
  const SourceScope scope(x, op.name);
  const Tensor inputs[] = {as_computed(x)};
  return x.tensor().graph().add(
      op, inputs, {{"axes", normal_axes({options.axis}, x.tensor().rank())}, {"keepdims", options.keepdims}},
      x.location());
}

std::vector<Sample> samples() {
  const auto sample = [](std::vector<int64_t> sizes, int64_t axis, bool keepdims) {
    return Sample{.inputs = {{std::move(sizes)}},
                  .attributes = {{"axes", std::vector<int64_t>{axis}}, {"keepdims", keepdims}},
                  .differentiable = false};
  };
  return {sample({7}, 0, false), sample({3, 5}, 0, true), sample({3, 5}, 1, false), sample({2, 3, 4}, 1, false)};
}

constexpr std::string_view no_gradient = "its result is an index";

}  // namespace

const OpDef argmax_def{
    .name = "argmax",
    .inputs = {"x"},
    .rule = "argmax needs one axis of x, not of size 0",
    .shape = shape,
    .no_gradient = no_gradient,
    .plan =
        [](const KernelRequest& request) {
          return plan(request, request.pick(baseline::argmax_kernels, avx2::argmax_kernels, avx512::argmax_kernels));
        },
    .samples = samples};

const OpDef argmin_def{
    .name = "argmin",
    .inputs = {"x"},
    .rule = "argmin needs one axis of x, not of size 0",
    .shape = shape,
    .no_gradient = no_gradient,
    .plan =
        [](const KernelRequest& request) {
          return plan(request, request.pick(baseline::argmin_kernels, avx2::argmin_kernels, avx512::argmin_kernels));
        },
    .samples = samples};

Tensor argmax(const Operand& x, const ArgReduceOptions& options) { return arg_reduce(argmax_def, x, options); }
Tensor argmin(const Operand& x, const ArgReduceOptions& options) { return arg_reduce(argmin_def, x, options); }

}  // namespace gradloom::inline v0

#endif
