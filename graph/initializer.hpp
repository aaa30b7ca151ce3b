#pragma once

#include <gradloom/graph/dtype.hpp>

#include <cstdint>

namespace gradloom::inline v0 {

/// How a parameter's first values are drawn: data, not code, so that it prints, parses and is the same on every
/// machine. The values depend on the State's seed and the parameter's full name only. See nn/initializers.hpp for the
/// usual ones.
struct Initializer {
  enum class Distribution : uint8_t { constant, uniform, normal };
  /// What `b` is divided by (as its square root): nothing, the fan-in, the fan-out or their mean. For a shape
  /// [..., in, out], fan-in is the product of all sizes but the last, fan-out of all but the one before it.
  enum class Scaling : uint8_t { none, fan_in, fan_out, fan_average };

  Distribution distribution = Distribution::constant;
  double a = 0;  ///< the constant; the lower bound of uniform without scaling; the mean of normal
  double b = 0;  ///< the upper bound of uniform; the standard deviation of normal. Uniform with scaling: +-b/sqrt(fan)
  Scaling scaling = Scaling::none;

  friend bool operator==(const Initializer&, const Initializer&) = default;
};

}  // namespace gradloom::inline v0
