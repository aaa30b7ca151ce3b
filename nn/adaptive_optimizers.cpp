// The optimisers beyond Adam: adadelta, adamax, nadam, radam, lion, lamb, adafactor.
#include <gradloom/nn/optimizer_internal.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/compare.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/extrema.hpp>
#include <gradloom/ops/logic.hpp>
#include <gradloom/ops/movement.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>
#include <gradloom/ops/sign.hpp>
#include <gradloom/ops/where.hpp>

#include <cmath>

namespace gradloom::inline v0::nn {

namespace {

/// beta slot + (1 - beta) x, which becomes the slot's value.
Tensor average(OptimizerBuilder& optimizer, const Tensor& slot, double beta, const Tensor& x) {
  Tensor value = beta * slot + (1 - beta) * x;
  optimizer.update(slot, value);
  return value;
}

Tensor root_mean_square(const Tensor& x) { return sqrt(mean(square(x))); }

}  // namespace

std::vector<Update> adadelta(const Operand& loss, const AdadeltaOptions& options) {
  OptimizerBuilder optimizer("adadelta", loss, options);
  SharedScalar rate(optimizer.learning_rate());
  for (const auto& item : optimizer.items()) {
    const Tensor& p = item.value;
    const Tensor g = item.decayed(options.weight_decay);
    const Tensor v = average(optimizer, optimizer.slot(item, "v"), options.decay, square(g));
    const Tensor u_slot = optimizer.slot(item, "u");
    const Tensor d = sqrt(u_slot + options.epsilon) / sqrt(v + options.epsilon) * g;
    (void)average(optimizer, u_slot, options.decay, square(d));
    optimizer.update(item, p - item.scaled(rate) * d);
  }
  return optimizer.finish();
}

std::vector<Update> adamax(const Operand& loss, const AdamaxOptions& options) {
  OptimizerBuilder optimizer("adamax", loss, options);
  const Tensor t = optimizer.step_number();
  SharedScalar corrected_rate(optimizer.learning_rate() / bias_correction(options.beta1, t));
  for (const auto& item : optimizer.items()) {
    const Tensor& p = item.value;
    const Tensor g = item.decayed(options.weight_decay);
    const Tensor m = average(optimizer, optimizer.slot(item, "m"), options.beta1, g);
    const Tensor u_slot = optimizer.slot(item, "u");
    const Tensor u = maximum(options.beta2 * u_slot, abs(g) + options.epsilon);
    optimizer.update(u_slot, u);
    optimizer.update(item, p - item.scaled(corrected_rate) * m / u);
  }
  return optimizer.finish();
}

std::vector<Update> nadam(const Operand& loss, const NadamOptions& options) {
  OptimizerBuilder optimizer("nadam", loss, options);
  const Tensor t = optimizer.step_number();
  const auto momentum_of = [&](const Tensor& step) {
    return options.beta1 * (1 - 0.5 * exp(std::log(0.96) * options.momentum_decay * step));
  };
  const Tensor mu = momentum_of(t), next_mu = momentum_of(t + 1);
  const Tensor product_slot = optimizer.scalar_slot("momentum_product", 1);
  const Tensor product = product_slot * mu;
  optimizer.update(product_slot, product);

  const Tensor learning_rate = optimizer.learning_rate();
  SharedScalar momentum_rate(learning_rate * next_mu / (1 - product * next_mu));
  SharedScalar gradient_rate(learning_rate * (1 - mu) / (1 - product));
  SharedScalar scale(rsqrt(bias_correction(options.beta2, t)));
  for (const auto& item : optimizer.items()) {
    const Tensor& p = item.value;
    const Tensor g = item.decayed(options.weight_decay);
    const Tensor m = average(optimizer, optimizer.slot(item, "m"), options.beta1, g);
    const Tensor v = average(optimizer, optimizer.slot(item, "v"), options.beta2, square(g));
    const Tensor step = item.scaled(momentum_rate) * m + item.scaled(gradient_rate) * g;
    optimizer.update(item, p - step / (sqrt(v) * scale.as(p.dtype()) + options.epsilon));
  }
  return optimizer.finish();
}

std::vector<Update> radam(const Operand& loss, const RadamOptions& options) {
  OptimizerBuilder optimizer("radam", loss, options);
  const Tensor t = optimizer.step_number();
  const Tensor correction = bias_correction(options.beta2, t);
  const double limit = 2 / (1 - options.beta2) - 1;  // of r
  const Tensor r = limit - 2 * t * (1 - correction) / correction;
  const Tensor is_known = r > 5;
  // Of a number above 4 in place of a smaller r, so that no root of a negative one is taken.
  const Tensor known = maximum(r, 5);
  const Tensor factor = sqrt((known - 4) * (known - 2) * limit / ((limit - 4) * (limit - 2) * known) * correction);

  SharedScalar corrected_rate(optimizer.learning_rate() / bias_correction(options.beta1, t));
  SharedScalar rectified(factor);
  for (const auto& item : optimizer.items()) {
    const Tensor& p = item.value;
    const Tensor g = item.decayed(options.weight_decay);
    const Tensor m = average(optimizer, optimizer.slot(item, "m"), options.beta1, g);
    const Tensor v = average(optimizer, optimizer.slot(item, "v"), options.beta2, square(g));
    const Tensor adapted = rectified.as(p.dtype()) / (sqrt(v) + options.epsilon);
    optimizer.update(item, p - item.scaled(corrected_rate) * m * where(is_known, adapted, 1));
  }
  return optimizer.finish();
}

std::vector<Update> lion(const Operand& loss, const LionOptions& options) {
  OptimizerBuilder optimizer("lion", loss, options);
  SharedScalar rate(optimizer.learning_rate());
  for (const auto& item : optimizer.items()) {
    const Tensor &p = item.value, &g = item.gradient;
    const Tensor slot = optimizer.slot(item, "m");
    Tensor step = sign(options.beta1 * slot + (1 - options.beta1) * g);
    if (const double decay = options.weight_decay * item.decay; decay != 0) step = step + decay * p;
    (void)average(optimizer, slot, options.beta2, g);
    optimizer.update(item, p - item.scaled(rate) * step);
  }
  return optimizer.finish();
}

std::vector<Update> lamb(const Operand& loss, const LambOptions& options) {
  OptimizerBuilder optimizer("lamb", loss, options);
  const Tensor t = optimizer.step_number();
  SharedScalar rate(optimizer.learning_rate());
  SharedScalar m_scale(1 / bias_correction(options.beta1, t)), v_scale(rsqrt(bias_correction(options.beta2, t)));
  for (const auto& item : optimizer.items()) {
    const Tensor &p = item.value, &g = item.gradient;
    const Tensor m = average(optimizer, optimizer.slot(item, "m"), options.beta1, g);
    const Tensor v = average(optimizer, optimizer.slot(item, "v"), options.beta2, square(g));
    Tensor u = m_scale.as(p.dtype()) * m / (sqrt(v) * v_scale.as(p.dtype()) + options.epsilon);
    if (const double decay = options.weight_decay * item.decay; decay != 0) u = u + decay * p;
    const Tensor p_norm = norm(p), u_norm = norm(u);
    const Tensor trust = where(logical_and(p_norm > 0, u_norm > 0), p_norm / u_norm, 1);
    optimizer.update(item, p - item.scaled(rate) * trust * u);
  }
  return optimizer.finish();
}

std::vector<Update> adafactor(const Operand& loss, const AdafactorOptions& options) {
  OptimizerBuilder optimizer("adafactor", loss, options);
  const Tensor t = optimizer.step_number();
  const Tensor learning_rate = optimizer.learning_rate();
  SharedScalar rate(learning_rate), relative_rate(minimum(learning_rate, rsqrt(t)));
  SharedScalar newest(exp(-options.beta2_decay * log(t)));  // 1 - b, the share of this step in the averages
  for (const auto& item : optimizer.items()) {
    const Tensor &p = item.value, &g = item.gradient;
    const Tensor squares = square(g) + options.epsilon1;
    const auto averaged = [&](const Tensor& slot, const Tensor& x) {
      Tensor value = slot + newest.as(p.dtype()) * (x - slot);
      optimizer.update(slot, value);
      return value;
    };
    Tensor u;
    if (p.rank() < 2) {
      u = g / sqrt(averaged(optimizer.slot(item, "v"), squares));
    } else {
      std::vector<Dim> rows = p.shape().dims(), columns = rows;
      rows.back() = 1;
      columns[columns.size() - 2] = 1;
      const auto slot_of = [&](std::string_view name, std::vector<Dim> dims) {
        return optimizer.slot(item, name, Shape(std::move(dims)));
      };
      const Tensor of_rows = averaged(slot_of("rows", rows), mean(squares, {.axes = {-1}, .keepdims = true}));
      const Tensor of_columns = averaged(slot_of("columns", columns), mean(squares, {.axes = {-2}, .keepdims = true}));
      // Two roots in place of one: the product of squares underflows in f32 long before their roots do.
      u = g * rsqrt(of_rows / mean(of_rows, {.axes = {-2}, .keepdims = true})) * rsqrt(of_columns);
    }
    const Tensor size = maximum(root_mean_square(p), options.epsilon2);
    const Tensor step = item.scaled(relative_rate) * size / maximum(root_mean_square(u) / options.clip, 1) * u;
    const double decay = options.weight_decay * item.decay;
    optimizer.update(item, (decay == 0 ? p : p * (1 - decay * item.scaled(rate))) - step);
  }
  return optimizer.finish();
}

}  // namespace gradloom::inline v0::nn
