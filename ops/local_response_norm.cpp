#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/local_response_norm.hpp>
#include <gradloom/ops/matmul.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/refuse_internal.hpp>

#include <fmt/format.h>

#include <vector>

namespace gradloom::inline v0 {

// A product with a band matrix costs a multiply-add for each channel, less than a pass through memory for the numbers
// of channels that this is used with, and the fuser takes what follows along.
Tensor local_response_norm(const Operand& x, const LocalResponseNormOptions& options) {
  const SourceScope scope(x, "local_response_norm");
  const auto fail = [&](const std::string& problem) {
    refuse("local_response_norm", "local_response_norm needs x [..., channels] and a size of at least 1", x.tensor(),
           problem, x.location());
  };
  if (x.tensor().rank() < 1) fail("x is a scalar");
  if (!x.tensor().dim(-1).known())
    fail(fmt::format("the number of channels, {}, is not known", x.tensor().dim(-1).to_string()));
  if (options.size < 1) fail(fmt::format("the size is {}", options.size));
  const Tensor value = as_float(x);
  const int64_t channels = value.dim(-1).value();
  std::vector<float> band(static_cast<size_t>(channels * channels), 0);
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t from = c - (options.size - 1) / 2; from <= c + options.size / 2; ++from) {
      if (from >= 0 && from < channels) band[static_cast<size_t>(from * channels + c)] = 1;
    }
  }
  const Tensor matrix = cast(constant<float>(value.graph(), {channels, channels}, band, x.location()), value.dtype());
  const Tensor around = matmul(square(value), matrix);
  return value / pow(options.bias + options.alpha / static_cast<double>(options.size) * around, options.beta);
}

}  // namespace gradloom::inline v0
