// attention_dropout: the factors that the blocked kernels of attention apply to their weights, as a matrix, for
// formulas that need it whole.
#ifdef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/attention_dropout_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

template <class T>
void factors(double rate, int64_t key, int64_t keys, int64_t begin, int64_t end, void* output) {
  AttentionDropout<T> dropout(rate, key, keys);
  T* to = static_cast<T*>(output) + begin * keys;
  for (int64_t row = begin; row < end; ++row) {
    for (int64_t first = 0; first < keys; first += attention_key_block) {
      T block[attention_key_block];
      for (T& x : block) x = T{1};
      if (AttentionDropout<T>::drops(rate, key)) dropout(block, row, first / attention_key_block);
      for (int64_t i = 0; i < attention_key_block && first + i < keys; ++i) *to++ = block[i];
    }
  }
}

}  // namespace

extern const AttentionDropoutKernels attention_dropout_kernels;
const AttentionDropoutKernels attention_dropout_kernels{{factors<float>, factors<double>}};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#else

#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/attention.hpp>
#include <gradloom/ops/attention_table_internal.hpp>
#include <gradloom/ops/kernel.hpp>
#include <gradloom/ops/random_plan_internal.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

namespace gradloom::inline v0 {

namespace baseline {
extern const AttentionDropoutKernels attention_dropout_kernels;
}
namespace avx2 {
extern const AttentionDropoutKernels attention_dropout_kernels;
}
namespace avx512 {
extern const AttentionDropoutKernels attention_dropout_kernels;
}

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  if (context.dtype(0) != DType::i64 || context.shape(0).rank() != 0) context.fail("the key is no i64 scalar");
  const double rate = context.attributes().get<double>("rate");
  if (!(rate >= 0 && rate < 1)) context.fail(fmt::format("the rate is {}, and not at least 0 and less than 1", rate));
  std::vector<TensorType> types = random_shape(context);
  if (types[0].shape.rank() < 2) context.fail("the shape has fewer than two axes");
  if (!is_float(types[0].dtype)) context.fail("the dtype is no float");
  return types;
}

struct Params {
  std::remove_extent_t<decltype(AttentionDropoutKernels::factors)> factors = nullptr;
  double rate = 0;
  int64_t rows = 0, keys = 0, element_bytes = 0;
};

void run(const KernelCall& call) {
  const auto& params = *static_cast<const Params*>(call.params);
  // Whole pairs of rows, which share what is drawn.
  const int64_t pairs = (params.rows + 1) / 2;
  const int64_t begin = 2 * chunk_begin(pairs, call.chunks, call.chunk);
  const int64_t end = std::min(params.rows, 2 * chunk_begin(pairs, call.chunks, call.chunk + 1));
  params.factors(params.rate, *static_cast<const int64_t*>(call.inputs[0]), params.keys, begin, end, call.outputs[0]);
  call.count(0, (end - begin) * params.keys * params.element_bytes);
}

KernelPlan plan(const KernelRequest& request) {
  constexpr int64_t grain = int64_t{16} * 1024;
  const auto& kernels = request.pick(baseline::attention_dropout_kernels, avx2::attention_dropout_kernels,
                                     avx512::attention_dropout_kernels);
  const std::vector<int64_t> sizes = request.output_sizes();
  auto params = std::make_shared<Params>();
  params->factors = kernels.factors[request.output().dtype == DType::f64 ? 1 : 0];
  params->rate = request.attributes().get<double>("rate");
  params->keys = sizes.back();
  params->rows = 1;
  for (size_t axis = 0; axis + 1 < sizes.size(); ++axis) params->rows *= sizes[axis];
  params->element_bytes = static_cast<int64_t>(size_of(request.output().dtype));
  const int64_t count = params->rows * params->keys;
  KernelPlan plan;
  if (count > 0) plan.steps = {{run, std::min((params->rows + 1) / 2, chunk_count(count, grain))}};
  plan.nanoseconds = 50 + static_cast<double>(count);
  plan.params = std::move(params);
  return plan;
}

std::vector<Sample> samples() {
  const auto attributes = [](const Shape& shape, DType dtype) {
    return Attributes{{"shape", shape}, {"rate", 0.3}, {"dtype", dtype}};
  };
  const SampleInput key{{}, 1, 1000, DType::i64};
  return {{.inputs = {key}, .attributes = attributes({3, 5, 150}, DType::f32), .differentiable = false},
          {.inputs = {key}, .attributes = attributes({7, 256}, DType::f64), .differentiable = false}};
}

}  // namespace

const OpDef attention_dropout_def{.name = "attention_dropout",
                                  .inputs = {"key"},
                                  .rule = "attention_dropout needs a key, i64, and 0 <= rate < 1",
                                  .shape = shape,
                                  .no_gradient = random_no_gradient,
                                  .plan = plan,
                                  .samples = samples};

}  // namespace gradloom::inline v0

#endif
