// resample and its transpose, each the other's gradient. Both add up lines of memory: the elements behind the axis.
#include <gradloom/ops/kernel.hpp>

#include <cstdint>

namespace gradloom::inline v0 {

/// Element i of the axis is made of elements source[first[i]] to source[first[i + 1] - 1].
struct ResampleTable {
  int64_t to = 0, from = 0, inner = 1;
  const int64_t* first = nullptr;
  const int64_t* source = nullptr;
  const double* weight = nullptr;
};

/// Lines [begin, end) of the result, which are (outer axes, axis).
using ResampleLoop = void (*)(const ResampleTable& table, const void* from, void* to, int64_t begin, int64_t end);

struct ResampleKernels {
  ResampleLoop f32 = nullptr, f64 = nullptr;
};

}  // namespace gradloom::inline v0

#ifdef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/kernel_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {

namespace {

template <class T>
void add_lines(const ResampleTable& table, const void* from, void* to, int64_t begin, int64_t end) {
  const int64_t inner = table.inner;
  for (int64_t line = begin; line < end; ++line) {
    T* __restrict const y = static_cast<T*>(to) + line * inner;
    const T* const block = static_cast<const T*>(from) + line / table.to * table.from * inner;
    const int64_t i = line % table.to;
    for (int64_t k = table.first[i]; k < table.first[i + 1]; ++k) {
      const T* __restrict const x = block + table.source[k] * inner;
      const T weight = static_cast<T>(table.weight[k]);
      if (k == table.first[i]) {
        for (int64_t j = 0; j < inner; ++j) y[j] = weight * x[j];
      } else {
        for (int64_t j = 0; j < inner; ++j) y[j] += weight * x[j];
      }
    }
    for (int64_t j = 0; j < inner && table.first[i] == table.first[i + 1]; ++j) y[j] = T(0);
  }
}

}  // namespace

extern const ResampleKernels resample_kernels;
const ResampleKernels resample_kernels{add_lines<float>, add_lines<double>};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#else

#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/gradient.hpp>
#include <gradloom/ops/index_check_internal.hpp>
#include <gradloom/ops/resample.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace gradloom::inline v0 {

namespace baseline {
extern const ResampleKernels resample_kernels;
}
namespace avx2 {
extern const ResampleKernels resample_kernels;
}
namespace avx512 {
extern const ResampleKernels resample_kernels;
}

namespace {

using Numbers = std::vector<int64_t>;
using Weights = std::shared_ptr<const Literal>;

// The axis, and its size after resampling. Fails for lists that fit neither each other nor the size before, `from`.
std::pair<int, int64_t> check_lists(const ShapeContext& context, const Dim& from) {
  const int axis = context.axis(context.attributes().get<int64_t>("axis"), context.shape(0).rank());
  if (!is_float(context.dtype(0)))
    context.fail(fmt::format("it takes f32 and f64, not {}", to_string(context.dtype(0))));
  const Numbers& indices = context.attributes().get<Numbers>("indices");
  const Literal& weights = *context.attributes().get<Weights>("weights");
  const int64_t taps = context.attributes().get<int64_t>("taps"), count = static_cast<int64_t>(indices.size());
  if (taps < 1 || count % taps != 0) context.fail(fmt::format("{} indices are no rows of {} taps", count, taps));
  if (weights.dtype != DType::f64 || weights.sizes != Numbers{count / taps, taps})
    context.fail(fmt::format("there are {} indices and other weights", count));
  if (!from.known()) context.fail(fmt::format("the size {} of axis {} is not known", from.to_string(), axis));
  for (const int64_t index : indices) {
    if (index < 0 || index >= from.value())
      context.fail(fmt::format("the index {} is not in axis {}, of size {}", index, axis, from.value()));
  }
  return {axis, count / taps};
}

Shape with_size(const Shape& shape, int axis, const Dim& size) {
  std::vector<Dim> dims(shape.begin(), shape.end());
  dims[static_cast<size_t>(axis)] = size;
  return Shape(std::move(dims));
}

std::vector<TensorType> shape(const ShapeContext& context) {
  const int axis = context.axis(context.attributes().get<int64_t>("axis"), context.shape(0).rank());
  const int64_t size = check_lists(context, context.shape(0)[axis]).second;
  return {{context.dtype(0), with_size(context.shape(0), axis, size)}};
}

std::vector<TensorType> transposed_shape(const ShapeContext& context) {
  const Dim size = context.attributes().get<int64_t>("size");
  const auto [axis, rows] = check_lists(context, size);
  (void)context.require_equal(context.shape(0)[axis], rows, fmt::format("axis {} and the number of rows", axis));
  return {{context.dtype(0), with_size(context.shape(0), axis, size)}};
}

Gradients vjp(const Vjp& v) {
  Attributes attributes = v.attributes();
  attributes.set("size", v.input(0).dim(static_cast<int>(attributes.get<int64_t>("axis"))).value());
  return {v.graph().add(resample_transposed_def, {&v.cotangent(), 1}, attributes, v.node().location)};
}

Gradients transposed_vjp(const Vjp& v) {
  Attributes attributes;
  for (const Attributes::Item& item : v.attributes().items()) {
    if (item.name != "size") attributes.set(item.name, item.value);
  }
  return {v.graph().add(resample_def, {&v.cotangent(), 1}, attributes, v.node().location)};
}

struct ResamplePlan {
  ResampleTable table;
  ResampleLoop loop = nullptr;
  int64_t lines = 0;
  int64_t read = 0, written = 0;  // bytes
  Numbers first, source;
  std::vector<double> weight;
};

void run(const KernelCall& call) {
  const auto& plan = *static_cast<const ResamplePlan*>(call.params);
  call.count(chunk_size(plan.read, call.chunks, call.chunk), chunk_size(plan.written, call.chunks, call.chunk));
  plan.loop(plan.table, call.inputs[0], call.outputs[0], chunk_begin(plan.lines, call.chunks, call.chunk),
            chunk_begin(plan.lines, call.chunks, call.chunk + 1));
}

template <bool transposed>
KernelPlan plan(const KernelRequest& request) {
  const AxisView from(request.input_sizes(0), request.attributes().get<int64_t>("axis")),
      to(request.output_sizes(), request.attributes().get<int64_t>("axis"));
  const Numbers& indices = request.attributes().get<Numbers>("indices");
  const Literal& literal = *request.attributes().get<Weights>("weights");
  const int64_t taps = request.attributes().get<int64_t>("taps");
  std::vector<double> weights(indices.size());
  std::memcpy(weights.data(), literal.bytes.data(), literal.bytes.size());

  auto made = std::make_shared<ResamplePlan>();
  std::vector<std::vector<std::pair<int64_t, double>>> rows(static_cast<size_t>(to.size));
  for (size_t i = 0; i < indices.size(); ++i) {
    if (weights[i] == 0) continue;
    const int64_t row = static_cast<int64_t>(i) / taps;
    if (transposed) {
      rows[static_cast<size_t>(indices[i])].emplace_back(row, weights[i]);
    } else {
      rows[static_cast<size_t>(row)].emplace_back(indices[i], weights[i]);
    }
  }
  made->first = {0};
  for (const auto& row : rows) {
    for (const auto& [source, weight] : row) {
      made->source.push_back(source);
      made->weight.push_back(weight);
    }
    made->first.push_back(static_cast<int64_t>(made->source.size()));
  }
  made->table = {to.size, from.size, to.inner, made->first.data(), made->source.data(), made->weight.data()};
  const ResampleKernels& kernels =
      request.pick(baseline::resample_kernels, avx2::resample_kernels, avx512::resample_kernels);
  made->loop = request.output().dtype == DType::f64 ? kernels.f64 : kernels.f32;
  made->lines = to.outer * to.size;
  const int64_t size = static_cast<int64_t>(size_of(request.output().dtype));
  made->read = from.outer * from.size * from.inner * size;
  made->written = made->lines * to.inner * size;
  KernelPlan plan;
  if (made->written == 0) return plan;
  constexpr int64_t grain = int64_t{32} * 1024;
  const int64_t additions = to.outer * to.inner * static_cast<int64_t>(made->source.size());
  plan.steps = {{run, std::min(made->lines, chunk_count(additions, grain))}};
  plan.nanoseconds = 50 + 0.2 * static_cast<double>(additions);
  plan.params = std::move(made);
  return plan;
}

Attributes attributes_of(int64_t axis, int64_t taps, Numbers indices, const std::vector<double>& weights) {
  auto literal = std::make_shared<Literal>();
  literal->dtype = DType::f64;
  literal->sizes = {static_cast<int64_t>(weights.size()) / std::max<int64_t>(taps, 1), taps};
  literal->bytes.resize(weights.size() * sizeof(double));
  std::memcpy(literal->bytes.data(), weights.data(), literal->bytes.size());
  return {{"axis", axis}, {"taps", taps}, {"indices", std::move(indices)}, {"weights", Weights(std::move(literal))}};
}

Attributes sample_attributes() {
  return attributes_of(1, 2, {0, 1, 1, 2, 3, 3, 2, 0, 1, 1}, {0.25, 0.75, 1, 0, 0.5, 0.25, -1, 2, 0.5, 0.5});
}

std::vector<Sample> samples() {
  return {{.inputs = {{{2, 4, 3}}}, .attributes = sample_attributes()},
          {.inputs = {{{1, 5, 2, 19}}}, .attributes = sample_attributes()},
          {.inputs = {{{0, 4}}}, .attributes = sample_attributes()}};
}

std::vector<Sample> transposed_samples() {
  Attributes attributes = sample_attributes();
  attributes.set("size", int64_t{4});
  return {{.inputs = {{{2, 5, 3}}}, .attributes = attributes}, {.inputs = {{{1, 5, 17}}}, .attributes = attributes}};
}

}  // namespace

const OpDef resample_def{.name = "resample",
                         .inputs = {"x"},
                         .rule = "resample needs floats, and rows of as many indices of the axis as weights",
                         .shape = shape,
                         .vjp = vjp,
                         .plan = plan<false>,
                         .samples = samples};

const OpDef resample_transposed_def{.name = "resample_transposed",
                                    .inputs = {"y"},
                                    .rule =
                                        "resample_transposed needs floats, the size of the axis before, and rows of "
                                        "as many of its indices as weights",
                                    .shape = transposed_shape,
                                    .vjp = transposed_vjp,
                                    .plan = plan<true>,
                                    .samples = transposed_samples};

Tensor resample(const Operand& x, int axis, const Resampling& resampling) {
  const SourceScope scope(x, "resample");
  const Tensor value = as_float(x);
  return value.graph().add(
      resample_def, {&value, 1},
      attributes_of(from_front(axis, value.rank()), resampling.taps, resampling.indices, resampling.weights),
      x.location());
}

}  // namespace gradloom::inline v0

#endif
