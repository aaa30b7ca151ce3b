// random_bernoulli: 1 where a random word, as a fraction of 2^32, is below p.
#ifdef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/philox_loop_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

template <class T>
void bernoulli(const RandomPart& part) {
  // p * 2^32 may be 2^32 itself, for which there is no word: p = 1 has a case of its own.
  const bool always = part.a >= 1;
  const uint32_t threshold = always ? 0 : static_cast<uint32_t>(part.a * 0x1p32);
  fill_part<T, 1>(part, [&](const PhiloxTile& tile, T* to) {
    for (int w = 0; w < 4; ++w) {
      for (int i = 0; i < tile_blocks; ++i) {
        to[w * tile_blocks + i] = always || tile.words[w][i] < threshold ? T{1} : T{0};
      }
    }
  });
}

template <class... T>
constexpr RandomKernels make_kernels(Types<T...>) {
  RandomKernels kernels;
  ((kernels.loops[dtype_index<T>] = bernoulli<T>), ...);
  return kernels;
}

}  // namespace

extern const RandomKernels random_bernoulli_kernels;
const RandomKernels random_bernoulli_kernels = make_kernels(all_types);

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#else

#include <gradloom/ops/random.hpp>
#include <gradloom/ops/random_plan_internal.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

namespace gradloom::inline v0 {

namespace baseline {
extern const RandomKernels random_bernoulli_kernels;
}
namespace avx2 {
extern const RandomKernels random_bernoulli_kernels;
}
namespace avx512 {
extern const RandomKernels random_bernoulli_kernels;
}

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  const double p = context.attributes().get<double>("p");
  if (!(p >= 0 && p <= 1)) context.fail(fmt::format("{} is no probability", p));
  if (context.attributes().get<DType>("dtype") == DType::bf16)
    context.fail("bf16 is for storage: draw f32 and cast it");
  return random_shape(context);
}

KernelPlan plan(const KernelRequest& request) {
  return plan_random(request,
                     request.pick(baseline::random_bernoulli_kernels, avx2::random_bernoulli_kernels,
                                  avx512::random_bernoulli_kernels),
                     request.attributes().get<double>("p"));
}

std::vector<Sample> samples() {
  return {{.inputs = {},
           .attributes = {{"shape", Shape{3, 100}}, {"p", 0.3}, {"dtype", DType::boolean}, {"stream", int64_t{1}}},
           .differentiable = false},
          {.inputs = {},
           .attributes = {{"shape", Shape{257}}, {"p", 0.5}, {"dtype", DType::f32}, {"stream", int64_t{2}}},
           .differentiable = false}};
}

}  // namespace

const OpDef random_bernoulli_def{.name = "random_bernoulli",
                                 .rule = "random_bernoulli needs 0 <= p <= 1",
                                 .shape = shape,
                                 .no_gradient = random_no_gradient,
                                 .plan = plan,
                                 .properties = random_properties,
                                 .samples = samples};

Tensor random_bernoulli(Graph& graph, const Shape& shape, double p, DType dtype, SourceLocation location) {
  return graph.add(random_bernoulli_def, {},
                   {{"shape", shape}, {"p", p}, {"dtype", dtype}, {"stream", graph.next_stream()}}, location);
}

}  // namespace gradloom::inline v0

#endif
