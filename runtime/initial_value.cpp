#include <gradloom/graph/error.hpp>
#include <gradloom/ops/philox.hpp>
#include <gradloom/runtime/program_internal.hpp>

#include <algorithm>
#include <cmath>

namespace gradloom::inline v0 {

namespace {

// What the bound or deviation is divided by. Fan-in is the product of all sizes but the last (what feeds one output),
// fan-out of all but the one before it.
double fan(const std::vector<int64_t>& sizes, Initializer::Scaling scaling) {
  double count = 1;
  for (const int64_t size : sizes) count *= static_cast<double>(size);
  const size_t rank = sizes.size();
  const double in = rank < 2 ? count : count / static_cast<double>(std::max<int64_t>(sizes[rank - 1], 1));
  const double out = rank < 2 ? count : count / static_cast<double>(std::max<int64_t>(sizes[rank - 2], 1));
  switch (scaling) {
    case Initializer::Scaling::none:
      return 1;
    case Initializer::Scaling::fan_in:
      return std::max(in, 1.0);
    case Initializer::Scaling::fan_out:
      return std::max(out, 1.0);
    case Initializer::Scaling::fan_average:
      return std::max((in + out) / 2, 1.0);
  }
  return 1;
}

template <class T>
void store(std::span<const double> values, const Array& to) {
  const std::span<T> elements = to.data<T>();
  for (size_t i = 0; i < values.size(); ++i) elements[i] = static_cast<T>(values[i]);
}

}  // namespace

Array initial_value(const Slot& parameter, const Initializer& initializer, uint64_t seed) {
  const Array value{std::span<const int64_t>(parameter.sizes), parameter.dtype};
  std::vector<double> drawn(static_cast<size_t>(value.size()));
  const double scale = 1 / std::sqrt(fan(parameter.sizes, initializer.scaling));
  const bool scaled = initializer.scaling != Initializer::Scaling::none;
  const uint64_t stream = stream_of_name(parameter.name);
  switch (initializer.distribution) {
    case Initializer::Distribution::constant:
      std::fill(drawn.begin(), drawn.end(), initializer.a);
      break;
    case Initializer::Distribution::uniform: {
      const double high = initializer.b * scale, low = scaled ? -high : initializer.a;
      philox_uniform(seed, stream, 0, 0, drawn);
      for (double& x : drawn) x = low + (high - low) * x;
      break;
    }
    case Initializer::Distribution::normal:
      philox_normal(seed, stream, 0, 0, drawn);
      for (double& x : drawn) x = initializer.a + initializer.b * scale * x;
      break;
  }
  switch (parameter.dtype) {
    case DType::boolean:
      store<bool>(drawn, value);
      break;
    case DType::u8:
      store<uint8_t>(drawn, value);
      break;
    case DType::i32:
      store<int32_t>(drawn, value);
      break;
    case DType::i64:
      store<int64_t>(drawn, value);
      break;
    case DType::bf16:
      store<BFloat16>(drawn, value);
      break;
    case DType::f32:
      store<float>(drawn, value);
      break;
    case DType::f64:
      store<double>(drawn, value);
      break;
  }
  return value;
}

}  // namespace gradloom::inline v0
