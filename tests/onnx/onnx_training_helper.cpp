// Gradients, optimisers, and what a layer does in training. Gradloom's own keep their values in a State.
#include "onnx/onnx_call_helper.hpp"
#include <gradloom/autodiff/gradients.hpp>
#include <gradloom/nn/batch_norm.hpp>
#include <gradloom/nn/optimizers.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/constant.hpp>
#include <gradloom/ops/power.hpp>
#include <gradloom/ops/reduce.hpp>

#include <algorithm>
#include <cmath>
#include <functional>

namespace gradloom::test::onnx {

Tensors differentiated(Call& c) {
  const std::vector<std::string> xs = c.attribute("xs")->strings;
  if (c.attribute("zs") != nullptr || c.node.inputs != xs) throw NoCounterpart{"Gradient at another place"};
  return gradients(c.values.at(c.s("y", "")), c.in);
}

namespace {

/// An optimiser's step t with a gradient G is one with the loss sum(G X) + norm_coefficient / 2 sum(X^2).
class Step {
 public:
  /// Inputs: the rate, t, and for each of the slots, after X and G, a list of Tensors.
  Step(Call& call, const std::vector<std::string>& slots) : c(call), slots_(slots) {
    if (c.f("norm_coefficient_post", 0) != 0) throw NoCounterpart{c.node.op + " that decays after its step"};
    rate = c.floats_of(0)[0];
    t = c.ints_of(1)[0];
    count_ = (c.in.size() - 2) / (2 + slots.size());
    const Scope scope = c.graph.numbered_scope("step");
    for (size_t k = 0; k < count_; ++k) {
      const Tensor& x = c.in[2 + k];
      parameters.push_back(c.graph.parameter("X" + std::to_string(k), x.shape(), {}, {.dtype = x.dtype()}));
      const Tensor& p = parameters.back();
      c.built.state.set(p.name(), c.value(x));
      const Tensor term = sum(c.in[2 + count_ + k] * p) + c.f("norm_coefficient", 0) / 2 * sum(square(p));
      loss = loss.valid() ? loss + term : term;
    }
  }

  /// The values after the step: those of X, then those of each slot, in the State by `names`.
  [[nodiscard]] Tensors after(const std::vector<Update>& updates) const {
    Tensors results(count_ * (1 + slots_.size()));
    const auto name_of = [&](size_t k, size_t slot) {
      return parameters[k].name() + (slot == 0 ? "" : "/" + slots_[slot - 1]);
    };
    for (const Update& update : updates) {
      for (size_t slot = 0; slot <= slots_.size(); ++slot) {
        for (size_t k = 0; k < count_; ++k) {
          if (!update.parameter.name().ends_with(name_of(k, slot))) continue;
          results[slot * count_ + k] = update.value;
          if (slot != 0) c.built.state.set(update.parameter.name(), c.value(c.in[2 + (1 + slot) * count_ + k]));
        }
      }
    }
    return results;
  }

  Call& c;
  double rate = 0;
  int64_t t = 0;
  Tensors parameters;
  Tensor loss;

 private:
  std::vector<std::string> slots_;
  size_t count_ = 0;
};

}  // namespace

Tensors adagrad_step(Call& c) {
  const Step step(c, {"sum"});
  const double rate = step.rate / (1 + static_cast<double>(step.t) * c.f("decay_factor", 0));
  return step.after(
      nn::adagrad(step.loss, {.learning_rate = rate, .epsilon = c.f("epsilon", 0), .parameters = step.parameters}));
}

/// Both correct the averages in step t for their start at 0, but for t = 0, where ONNX takes them as they are: so does
/// Gradloom after very many steps. ONNX's epsilon is added before the correction.
Tensors adam_step(Call& c) {
  const Step step(c, {"m", "v"});
  const double beta1 = c.f("alpha", 0.9), beta2 = c.f("beta", 0.999);
  const double correction = step.t == 0 ? 1 : 1 - std::pow(beta2, static_cast<double>(step.t));
  const std::vector<Update> updates = nn::adam(step.loss, {.learning_rate = step.rate,
                                                           .beta1 = beta1,
                                                           .beta2 = beta2,
                                                           .epsilon = c.f("epsilon", 0) / std::sqrt(correction),
                                                           .parameters = step.parameters});
  const int64_t steps_before = step.t == 0 ? int64_t{1} << 30 : step.t - 1;
  for (const Update& update : updates) {
    if (update.parameter.name().ends_with("/step")) {
      c.built.state.set(update.parameter.name(), Array::scalar(steps_before));
    }
  }
  return step.after(updates);
}

Tensors momentum_step(Call& c) {
  const Step step(c, {"velocity"});
  if (c.s("mode", "standard") != "standard") throw NoCounterpart{"Momentum with Nesterov's step"};
  // From the second step on the gradient has a factor of its own.
  const Tensor loss = step.t > 0 ? step.loss * c.f("beta", 1) : step.loss;
  return step.after(
      nn::momentum(loss, {.learning_rate = step.rate, .momentum = c.f("alpha", 0), .parameters = step.parameters}));
}

/// Gradloom's running variance takes the unbiased one of the batch, ONNX's that which it divides by.
Tensors normalized_in_training(Call& c) {
  const double momentum = 1 - c.f("momentum", 0.9);
  nn::BatchNorm layer({.epsilon = c.f("epsilon", 1e-5), .momentum = momentum});
  const Tensor y = layer(channels_last(c.x()));
  const Tensor parameters[] = {layer.gain(), layer.bias(), layer.running_mean(), layer.running_variance()};
  Tensors results = {channels_first(y)};
  for (size_t k = 0; k < std::size(parameters); ++k) {
    c.built.state.set(parameters[k].name(), c.value(c.in[1 + k]));
    for (const Update& update : c.graph.side_updates()) {
      if (same(update.parameter, parameters[k])) results.push_back(update.value);
    }
  }
  const auto n = static_cast<double>((c.x().shape().element_count() / c.x().dim(1)).value());
  const Tensor kept = (1 - momentum) * layer.running_variance();
  results.back() = kept + (results.back() - kept) * ((n - 1) / n);
  return results;
}

}  // namespace gradloom::test::onnx
