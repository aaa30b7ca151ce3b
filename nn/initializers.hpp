// How the first values of parameters are drawn: `g.parameter("W", {784, 10}, nn::glorot())`.
//
// For a weight [..., in, out], fan-in is the product of all sizes but the last, fan-out of all but the one before it.
#pragma once

#include <gradloom/graph/initializer.hpp>

namespace gradloom::inline v0::nn {

/// Every element `value`.
[[nodiscard]] constexpr Initializer constant(double value) { return {.a = value}; }

/// Every element 0.
[[nodiscard]] constexpr Initializer zeros() { return constant(0); }

/// Uniform in [low, high).
[[nodiscard]] constexpr Initializer uniform(double low, double high) {
  return {.distribution = Initializer::Distribution::uniform, .a = low, .b = high};
}

/// Normal with that mean and standard deviation.
[[nodiscard]] constexpr Initializer normal(double mean = 0, double stddev = 1) {
  return {.distribution = Initializer::Distribution::normal, .a = mean, .b = stddev};
}

/// Uniform in +-sqrt(6 / (fan-in + fan-out)): keeps the variance of activations and of gradients about the same from
/// layer to layer, for tanh and linear layers. (Glorot and Bengio, 2010, "Understanding the difficulty of training deep
/// feedforward neural networks", eq. 16.)
[[nodiscard]] constexpr Initializer glorot_uniform() {
  return {.distribution = Initializer::Distribution::uniform,
          .b = 1.7320508075688772,  // sqrt(3), over the root of the mean fan
          .scaling = Initializer::Scaling::fan_average};
}

/// Normal with standard deviation sqrt(2 / (fan-in + fan-out)). (Glorot and Bengio, 2010, eq. 12.)
[[nodiscard]] constexpr Initializer glorot_normal() {
  return {.distribution = Initializer::Distribution::normal, .b = 1, .scaling = Initializer::Scaling::fan_average};
}

/// The usual one of the two: glorot_uniform().
[[nodiscard]] constexpr Initializer glorot() { return glorot_uniform(); }

/// Normal with standard deviation sqrt(2 / fan-in): as Glorot's, for relu, which halves the variance. (He et al., 2015,
/// "Delving Deep into Rectifiers", eq. 10.)
[[nodiscard]] constexpr Initializer he_normal() {
  return {.distribution = Initializer::Distribution::normal,
          .b = 1.4142135623730951,  // sqrt(2)
          .scaling = Initializer::Scaling::fan_in};
}

/// Uniform in +-sqrt(6 / fan-in), which has the variance of he_normal().
[[nodiscard]] constexpr Initializer he_uniform() {
  return {.distribution = Initializer::Distribution::uniform,
          .b = 2.449489742783178,  // sqrt(6)
          .scaling = Initializer::Scaling::fan_in};
}

/// The one of the paper: he_normal().
[[nodiscard]] constexpr Initializer he() { return he_normal(); }

/// Normal with standard deviation sqrt(1 / fan-in), the choice for selu. (LeCun et al., 1998, "Efficient BackProp",
/// section 4.6.)
[[nodiscard]] constexpr Initializer lecun() {
  return {.distribution = Initializer::Distribution::normal, .b = 1, .scaling = Initializer::Scaling::fan_in};
}

}  // namespace gradloom::inline v0::nn
