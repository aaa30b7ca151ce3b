// y = x * scale + shift, with a scale and a shift for each channel: one multiply-add in whatever kernel comes before or
// after. Their gradients are sums of dy * x and of dy, which one pass takes together.
#include <gradloom/autodiff/custom_gradient.hpp>
#include <gradloom/graph/describe_internal.hpp>
#include <gradloom/nn/batch_norm.hpp>
#include <gradloom/nn/refuse_internal.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/dim_size.hpp>
#include <gradloom/ops/dropout.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/stop_gradient.hpp>

#include <fmt/format.h>

#include <vector>

namespace gradloom::inline v0::nn {

namespace {

constexpr std::string_view rule =
    "batch_norm needs x [..., channels] of two or more axes, the channels a number that is the same in every call";

/// All axes but the last.
ReduceOptions over_pixels(const Tensor& x) {
  ReduceOptions options;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) options.axes.push_back(axis);
  return options;
}

/// How many elements a channel has: a number if that is known, else a Tensor.
Operand count(const Tensor& x) {
  Dim known = 1;
  Tensor symbolic;
  for (int axis = 0; axis + 1 < x.rank(); ++axis) {
    if (x.dim(axis).known()) {
      known = known * x.dim(axis);
    } else {
      symbolic = symbolic.valid() ? symbolic * dim_size(x, axis) : dim_size(x, axis);
    }
  }
  if (!symbolic.valid()) return static_cast<double>(known.value());
  return cast(symbolic * known.value(), x.dtype());
}

/// n / (n - 1), and 1 where there is but one element.
Operand unbiasing(const Operand& n) {
  if (n.is_number()) return n.number() > 1 ? n.number() / (n.number() - 1) : 1.0;
  return n.tensor() / maximum(n.tensor() - 1, 1);
}

/// The mean of (x - mean)^2. Its derivative with respect to the mean is 0, since that is the mean of x; saying so
/// spares a sum. The rest, 2 / n (x - mean), is written as a multiply-add of x, so that x - mean need not be kept.
Tensor variance_around(const Tensor& x, const Tensor& mean_of_x) {
  const Tensor value = mean(square(x - mean_of_x), over_pixels(x));
  return custom_gradient(value, {x, mean_of_x}, [](std::span<const Tensor> in, const Tensor&, const Tensor& cotangent) {
    const Tensor scale = 2 * cotangent / count(in[0]);
    return std::vector<Tensor>{in[0] * scale - in[1] * scale, Tensor()};
  });
}

}  // namespace

BatchNorm::BatchNorm(BatchNormOptions options, SourceLocation location) : options_(std::move(options)) {
  if (options_.momentum >= 0 && options_.momentum <= 1) return;
  refuse("batch_norm", Operand(options_.momentum, location), fmt::format("the momentum is {}", options_.momentum), {},
         "the momentum is the weight of a batch in the running statistics, from 0 to 1");
}

Tensor BatchNorm::operator()(const Operand& x) {
  if (x.is_number()) refuse("batch_norm", x, "x is a number or an empty Tensor", {}, rule);
  const Tensor& input = x.tensor();
  const auto fail = [&](std::string problem) { refuse("batch_norm", x, std::move(problem), {{"x", input}}, rule); };
  if (input.rank() < 2) fail(fmt::format("the rank is {}", input.rank()));
  if (!input.dim(-1).known()) fail(fmt::format("the number of channels, {}, is not known", input.dim(-1).to_string()));
  if (!running_mean_.valid()) make_parameters(x);
  if (&running_mean_.graph() != &input.graph()) fail("its parameters belong to another graph, that of the first call");
  if (input.dim(-1) != running_mean_.dim(0)) {
    fail(fmt::format("there were {} channels in the first call, and are {}", running_mean_.dim(0).to_string(),
                     input.dim(-1).to_string()));
  }

  const SourceScope scope(x, "batch_norm");
  const Tensor value = cast(x, running_mean_.dtype());
  const Tensor batch_mean = mean(value, over_pixels(value)), batch_variance = variance_around(value, batch_mean);
  const auto moved = [&](const Tensor& running, const Tensor& batch) {
    return running + options_.momentum * (stop_gradient(batch) - running);
  };
  next_mean_ = moved(next_mean_, batch_mean);
  next_variance_ = moved(next_variance_, batch_variance * unbiasing(count(value)));
  input.graph().add_side_update({running_mean_, next_mean_});
  input.graph().add_side_update({running_variance_, next_variance_});

  const Tensor mean_used = by_mode(batch_mean, running_mean_),
               variance_used = by_mode(batch_variance, running_variance_);
  Tensor scale = rsqrt(variance_used + options_.epsilon);
  if (gain_.valid()) scale = scale * gain_;
  Tensor shift = -mean_used * scale;
  if (bias_.valid()) shift = bias_ + shift;
  return value * scale + shift;
}

void BatchNorm::make_parameters(const Operand& x) {
  Graph& graph = x.tensor().graph();
  const Scope scope = options_.name.empty() ? graph.numbered_scope("batch_norm") : graph.scope(options_.name);
  const Shape shape{x.tensor().dim(-1)};
  ParameterOptions options{.dtype = promote(x.tensor().dtype(), DType::f32), .trainable = options_.trainable};
  if (options_.gain) gain_ = graph.parameter("gain", shape, options_.gain_init, options, x.location());
  if (options_.bias) bias_ = graph.parameter("bias", shape, options_.bias_init, options, x.location());
  options.trainable = false;
  next_mean_ = running_mean_ = graph.parameter("running_mean", shape, zeros(), options, x.location());
  next_variance_ = running_variance_ = graph.parameter("running_variance", shape, constant(1), options, x.location());
}

Tensor batch_norm(const Operand& x, BatchNormOptions options) { return BatchNorm(std::move(options), x.location())(x); }

}  // namespace gradloom::inline v0::nn
