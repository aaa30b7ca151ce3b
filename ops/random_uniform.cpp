// random_uniform: low + (high - low) * u with u of 24 or 53 random bits. Only integer arithmetic and correctly rounded
// operations: the same bits on every instruction set.
#ifdef GRADLOOM_KERNEL_ISA

#include <gradloom/ops/philox_loop_internal.hpp>

namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA {
namespace {

// The product may round up to high, which is not in [low, high): part.c is the largest number below it.
template <class T>
T stretched(T u, T low, T width, T highest) {
  const T value = low + width * u;
  return value < highest ? value : highest;
}

void uniform_f32(const RandomPart& part) {
  const float low = static_cast<float>(part.a), width = static_cast<float>(part.b - part.a),
              highest = static_cast<float>(part.c);
  fill_part<float, 1>(part, [&](const PhiloxTile& tile, float* to) {
    for (int w = 0; w < 4; ++w) {
      for (int i = 0; i < tile_blocks; ++i) {
        to[w * tile_blocks + i] = stretched(uniform_of(tile.words[w][i]), low, width, highest);
      }
    }
  });
}

void uniform_f64(const RandomPart& part) {
  const double low = part.a, width = part.b - part.a, highest = part.c;
  fill_part<double, 2>(part, [&](const PhiloxTile& tile, double* to) {
    for (int w = 0; w < 2; ++w) {
      for (int i = 0; i < tile_blocks; ++i) {
        to[w * tile_blocks + i] =
            stretched(uniform_of(tile.words[2 * w][i], tile.words[2 * w + 1][i]), low, width, highest);
      }
    }
  });
}

}  // namespace

extern const RandomKernels random_uniform_kernels;
const RandomKernels random_uniform_kernels{{nullptr, nullptr, nullptr, nullptr, nullptr, uniform_f32, uniform_f64}};

}  // namespace gradloom::inline v0::GRADLOOM_KERNEL_ISA

#else

#include <gradloom/ops/philox.hpp>
#include <gradloom/ops/random.hpp>
#include <gradloom/ops/random_plan_internal.hpp>
#include <gradloom/ops/sample.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace gradloom::inline v0 {

namespace baseline {
extern const RandomKernels random_uniform_kernels;
}
namespace avx2 {
extern const RandomKernels random_uniform_kernels;
}
namespace avx512 {
extern const RandomKernels random_uniform_kernels;
}

namespace {

std::vector<TensorType> shape(const ShapeContext& context) {
  const DType dtype = context.attributes().get<DType>("dtype");
  const double low = context.attributes().get<double>("low"), high = context.attributes().get<double>("high");
  if (!is_float(dtype)) context.fail(fmt::format("it draws f32 or f64, not {}", to_string(dtype)));
  const double widest = dtype == DType::f32 ? std::numeric_limits<float>::max() : std::numeric_limits<double>::max();
  if (!(low <= high && std::abs(low) <= widest && std::abs(high) <= widest && high - low <= widest)) {
    context.fail(fmt::format("[{}, {}) is no range of {}", low, high, to_string(dtype)));
  }
  return random_shape(context);
}

// The largest number of the dtype below high, but for an empty range.
double highest(double low, double high, DType dtype) {
  if (dtype == DType::f64) return std::max(low, std::nextafter(high, -std::numeric_limits<double>::infinity()));
  const float below = std::nextafter(static_cast<float>(high), -std::numeric_limits<float>::infinity());
  return std::max(static_cast<float>(low), below);
}

KernelPlan plan(const KernelRequest& request) {
  const double low = request.attributes().get<double>("low"), high = request.attributes().get<double>("high");
  return plan_random(
      request,
      request.pick(baseline::random_uniform_kernels, avx2::random_uniform_kernels, avx512::random_uniform_kernels), low,
      high, highest(low, high, request.output().dtype));
}

std::vector<Sample> samples() {
  return {{.inputs = {},
           .attributes =
               {{"shape", Shape{3, 100}}, {"low", -1.0}, {"high", 2.0}, {"dtype", DType::f32}, {"stream", int64_t{1}}},
           .differentiable = false},
          {.inputs = {},
           .attributes =
               {{"shape", Shape{257}}, {"low", 0.0}, {"high", 1.0}, {"dtype", DType::f64}, {"stream", int64_t{2}}},
           .differentiable = false}};
}

}  // namespace

const OpDef random_uniform_def{.name = "random_uniform",
                               .rule = "random_uniform needs finite low <= high and a dtype of f32 or f64",
                               .shape = shape,
                               .no_gradient = random_no_gradient,
                               .plan = plan,
                               .properties = random_properties,
                               .samples = samples};

Tensor random_uniform(Graph& graph, const Shape& shape, double low, double high, DType dtype, SourceLocation location) {
  return graph.add(random_uniform_def, {},
                   {{"shape", shape}, {"low", low}, {"high", high}, {"dtype", dtype}, {"stream", graph.next_stream()}},
                   location);
}

void philox_uniform(uint64_t seed, uint64_t stream, int64_t step, int64_t begin, std::span<double> out) {
  baseline::random_uniform_kernels.loops[static_cast<size_t>(DType::f64)](
      {.key = philox_key(seed, stream),
       .step = step,
       .begin = begin,
       .end = begin + static_cast<int64_t>(out.size()),
       .a = 0,
       .b = 1,
       .c = highest(0, 1, DType::f64),
       .output = out.data()});
}

}  // namespace gradloom::inline v0

#endif
