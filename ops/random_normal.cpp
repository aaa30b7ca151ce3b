// random_normal: mean + stddev * z, with two independent z per pair of uniforms (Box & Muller 1958):
//   r = sqrt(-2 ln u1), z0 = r cos(2 pi u2), z1 = r sin(2 pi u2), u1 in (0, 1], u2 in [0, 1).
// Made of our own element functions, whose lanes are independent: an element's bits do not depend on its neighbours.
#ifdef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/math_internal.hpp>
#include <gradloom/ops/philox_loop_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

// u1[i], u2[i] -> z0[i], z1[i], in place. The arrays are whole vectors long.
template <class T>
void box_muller(T* u1, T* u2, int n, T mean, T stddev) {
  for (int i = 0; i < n; i += lanes<T>) {
    const Batch<T> r = math::sqrt(Batch<T>(T(-2)) * math::log(load(u1 + i)));
    const Batch<T> angle = Batch<T>(T(6.283185307179586476925)) * load(u2 + i);
    store(u1 + i, Batch<T>(mean) + Batch<T>(stddev) * (r * math::cos(angle)));
    store(u2 + i, Batch<T>(mean) + Batch<T>(stddev) * (r * math::sin(angle)));
  }
}

// Words 0 and 1 make the first two runs of the tile, words 2 and 3 the others.
void normal_f32(const RandomPart& part) {
  const float mean = static_cast<float>(part.a), stddev = static_cast<float>(part.b);
  fill_part<float, 1>(part, [&](const PhiloxTile& tile, float* to) {
    for (int pair = 0; pair < 2; ++pair) {
      float* const u1 = to + 2 * pair * tile_blocks;
      float* const u2 = u1 + tile_blocks;
      for (int i = 0; i < tile_blocks; ++i) {
        // 31 bits and never 0, where 24 would end the tails at 5.8 standard deviations instead of 6.7.
        u1[i] = (static_cast<float>(static_cast<int32_t>(tile.words[2 * pair][i] >> 1)) + 0.5F) * 0x1p-31F;
        u2[i] = uniform_of(tile.words[2 * pair + 1][i]);
      }
      box_muller(u1, u2, tile_blocks, mean, stddev);
    }
  });
}

void normal_f64(const RandomPart& part) {
  fill_part<double, 2>(part, [&](const PhiloxTile& tile, double* to) {
    double *const u1 = to, *const u2 = to + tile_blocks;
    for (int i = 0; i < tile_blocks; ++i) {
      u1[i] = 1 - uniform_of(tile.words[0][i], tile.words[1][i]);
      u2[i] = uniform_of(tile.words[2][i], tile.words[3][i]);
    }
    box_muller(u1, u2, tile_blocks, part.a, part.b);
  });
}

}  // namespace

extern const RandomKernels random_normal_kernels;
const RandomKernels random_normal_kernels{{nullptr, nullptr, nullptr, nullptr, nullptr, normal_f32, normal_f64}};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#else

#include <gradloom/ops/philox.hpp>
#include <gradloom/ops/random.hpp>
#include <gradloom/ops/random_plan_internal.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

#include <cmath>

namespace gradloom::inline v0 {

namespace baseline {
extern const RandomKernels random_normal_kernels;
}
namespace avx2 {
extern const RandomKernels random_normal_kernels;
}
namespace avx512 {
extern const RandomKernels random_normal_kernels;
}

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  const DType dtype = context.attributes().get<DType>("dtype");
  const double mean = context.attributes().get<double>("mean"), stddev = context.attributes().get<double>("stddev");
  if (!is_float(dtype)) context.fail(fmt::format("it draws f32 or f64, not {}", to_string(dtype)));
  if (!std::isfinite(mean) || !std::isfinite(stddev) || stddev < 0) {
    context.fail(fmt::format("there is no normal distribution of mean {} and standard deviation {}", mean, stddev));
  }
  return random_shape(context);
}

KernelPlan plan(const KernelRequest& request) {
  return plan_random(
      request,
      request.pick(baseline::random_normal_kernels, avx2::random_normal_kernels, avx512::random_normal_kernels),
      request.attributes().get<double>("mean"), request.attributes().get<double>("stddev"));
}

std::vector<Sample> samples() {
  return {
      {.inputs = {},
       .attributes =
           {{"shape", Shape{3, 100}}, {"mean", -1.0}, {"stddev", 2.0}, {"dtype", DType::f32}, {"stream", int64_t{1}}},
       .differentiable = false},
      {.inputs = {},
       .attributes =
           {{"shape", Shape{257}}, {"mean", 0.0}, {"stddev", 1.0}, {"dtype", DType::f64}, {"stream", int64_t{2}}},
       .differentiable = false}};
}

}  // namespace

const OpDef random_normal_def{
    .name = "random_normal",
    .rule = "random_normal needs a finite mean, a finite stddev >= 0 and a dtype of f32 or f64",
    .shape = shape,
    .no_gradient = random_no_gradient,
    .plan = plan,
    .properties = random_properties,
    .samples = samples};

Tensor random_normal(Graph& graph, const Shape& shape, double mean, double stddev, DType dtype,
                     SourceLocation location) {
  return graph.add(
      random_normal_def, {},
      {{"shape", shape}, {"mean", mean}, {"stddev", stddev}, {"dtype", dtype}, {"stream", graph.next_stream()}},
      location);
}

void philox_normal(uint64_t seed, uint64_t stream, int64_t step, int64_t begin, std::span<double> out) {
  baseline::random_normal_kernels.loops[static_cast<size_t>(DType::f64)](
      {.key = philox_key(seed, stream),
       .step = step,
       .begin = begin,
       .end = begin + static_cast<int64_t>(out.size()),
       .a = 0,
       .b = 1,
       .output = out.data()});
}

}  // namespace gradloom::inline v0

#endif
