#include <gradloom/nn/optimizer_internal.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/exponential.hpp>
#include <gradloom/ops/power.hpp>

#include <algorithm>
#include <cmath>

namespace gradloom::inline v0::nn {

namespace {

enum class Lookahead { no, yes };

std::vector<Update> with_velocity(std::string_view name, const Operand& loss, const MomentumOptions& options,
                                  Lookahead lookahead) {
  OptimizerBuilder optimizer(name, loss, options);
  SharedScalar rate(optimizer.learning_rate());
  for (const auto& item : optimizer.items()) {
    const Tensor& p = item.value;
    const Tensor g = item.decayed(options.weight_decay);
    const Tensor slot = optimizer.slot(item, "velocity");
    const Tensor velocity = options.momentum * slot + g;
    const Tensor direction = lookahead == Lookahead::yes ? g + options.momentum * velocity : velocity;
    optimizer.update(slot, velocity);
    optimizer.update(item, p - item.scaled(rate) * direction);
  }
  return optimizer.finish();
}

/// Adam and AdamW: `decay_of` is the weight decay of a parameter.
template <class Options, class DecayOf>
std::vector<Update> with_moments(std::string_view name, const Operand& loss, const Options& options, DecayOf decay_of) {
  OptimizerBuilder optimizer(name, loss, options);
  const Tensor t = optimizer.step_number();
  const Tensor learning_rate = optimizer.learning_rate();
  SharedScalar rate(learning_rate);
  SharedScalar corrected_rate(learning_rate / bias_correction(options.beta1, t));
  SharedScalar scale(rsqrt(bias_correction(options.beta2, t)));
  for (const auto& item : optimizer.items()) {
    const Tensor &p = item.value, &g = item.gradient;
    const Tensor m_slot = optimizer.slot(item, "m"), v_slot = optimizer.slot(item, "v");
    const Tensor m = options.beta1 * m_slot + (1 - options.beta1) * g;
    const Tensor v = options.beta2 * v_slot + (1 - options.beta2) * square(g);
    const double decay = item.decay * decay_of(item.parameter);
    const Tensor decayed = decay == 0 ? p : p * (1 - decay * item.scaled(rate));
    optimizer.update(m_slot, m);
    optimizer.update(v_slot, v);
    optimizer.update(item,
                     decayed - item.scaled(corrected_rate) * m / (sqrt(v) * scale.as(p.dtype()) + options.epsilon));
  }
  return optimizer.finish();
}

}  // namespace

std::vector<Update> gradient_descent(const Operand& loss, const GradientDescentOptions& options) {
  OptimizerBuilder optimizer("gradient_descent", loss, options);
  SharedScalar rate(optimizer.learning_rate());
  for (const auto& item : optimizer.items()) {
    const Tensor& p = item.value;
    optimizer.update(item, p - item.scaled(rate) * item.decayed(options.weight_decay));
  }
  return optimizer.finish();
}

std::vector<Update> momentum(const Operand& loss, const MomentumOptions& options) {
  return with_velocity("momentum", loss, options, Lookahead::no);
}

std::vector<Update> nesterov(const Operand& loss, const MomentumOptions& options) {
  return with_velocity("nesterov", loss, options, Lookahead::yes);
}

std::vector<Update> rmsprop(const Operand& loss, const RmspropOptions& options) {
  OptimizerBuilder optimizer("rmsprop", loss, options);
  SharedScalar rate(optimizer.learning_rate());
  for (const auto& item : optimizer.items()) {
    const Tensor &p = item.value, &g = item.gradient;
    const Tensor slot = optimizer.slot(item, "v");
    const Tensor v = options.decay * slot + (1 - options.decay) * square(g);
    optimizer.update(slot, v);
    optimizer.update(item, p - item.scaled(rate) * g / (sqrt(v) + options.epsilon));
  }
  return optimizer.finish();
}

std::vector<Update> adagrad(const Operand& loss, const AdagradOptions& options) {
  OptimizerBuilder optimizer("adagrad", loss, options);
  SharedScalar rate(optimizer.learning_rate());
  for (const auto& item : optimizer.items()) {
    const Tensor &p = item.value, &g = item.gradient;
    const Tensor slot = optimizer.slot(item, "sum", options.initial_accumulator);
    const Tensor squares = slot + square(g);
    optimizer.update(slot, squares);
    optimizer.update(item, p - item.scaled(rate) * g / (sqrt(squares) + options.epsilon));
  }
  return optimizer.finish();
}

std::vector<Update> adam(const Operand& loss, const AdamOptions& options) {
  return with_moments("adam", loss, options, [](const Tensor&) { return 0.0; });
}

std::vector<Update> adamw(const Operand& loss, const AdamwOptions& options) {
  return with_moments("adamw", loss, options, [&](const Tensor& parameter) {
    const auto is_it = [&](const Tensor& other) { return same(other, parameter); };
    const bool excluded = std::any_of(options.without_decay.begin(), options.without_decay.end(), is_it) ||
                          (options.decays != nullptr && !options.decays(parameter));
    return excluded ? 0.0 : options.weight_decay;
  });
}

}  // namespace gradloom::inline v0::nn
