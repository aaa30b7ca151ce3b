// What the element functions are compared with: the C library in the next wider type, an error measure in ULPs, and
// arguments that reach every magnitude. Shared by tests/ops/math_test.cpp and bench/ulp_functions.cpp.
#pragma once

#include "math_kernels_internal.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <type_traits>

namespace gradloom::inline v0 {

/// |got - expected| in units of the spacing of T at `expected`. Both nan is no error, nor is a value that T rounds to
/// inf; else a mismatch of nan, inf or the sign of zero is an infinite error.
template <class T, class Wide>
double ulp_error(T got, Wide expected) {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  if (std::isnan(expected) || std::isnan(got)) return std::isnan(expected) && std::isnan(got) ? 0 : infinite;
  if (expected == 0 && got == 0) return std::signbit(expected) == std::signbit(got) ? 0 : infinite;
  const T rounded = T(expected);
  if (std::isinf(got) || std::isinf(rounded)) return got == rounded ? 0 : infinite;
  constexpr int min_exponent = std::numeric_limits<T>::min_exponent - 1;
  const int e = expected == 0 ? min_exponent : std::max(std::ilogb(expected), min_exponent);
  const Wide spacing = std::ldexp(Wide(1), e - std::numeric_limits<T>::digits + 1);
  return double(std::fabs(Wide(got) - expected) / spacing);
}

struct UnaryReference {
  std::string_view name;
  double (*f64)(double);
  long double (*f80)(long double);
  double lo, hi;  // typical arguments, for timing
  double ulps;    // the bound the tests hold both types to
};

struct BinaryReference {
  std::string_view name;
  long double (*f80)(long double, long double);
  double ulps;
};

namespace reference {

template <class W>
W sigmoid(W x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

template <class W>
W softplus(W x) {
  return (x < 0 ? W(0) : x) + std::log1p(std::exp(-std::fabs(x)));
}

template <class W>
W tanh_log1p(W v) {
  return v < 0 ? std::numeric_limits<W>::quiet_NaN() : std::tanh(std::log1p(v));
}

template <class W>
W tanh_log1p_slope(W v) {
  if (v < 0) return std::numeric_limits<W>::quiet_NaN();
  if (v > W(0x1p300)) return 4 / v / v;
  const W d = v * (v / 2 + 1) + 1;
  return (v * v + v) / d / d;
}

template <class W>
W sign(W x) {
  return x > 0 ? W(1) : x < 0 ? W(-1) : x;
}

inline long double mod(long double x, long double y) {
  const long double r = std::fmod(x, y);
  if (r == 0) return std::copysign(0.0L, y);
  return (r < 0) == (y < 0) ? r : r + y;
}

inline long double maximum(long double a, long double b) {
  if (std::isnan(a) || std::isnan(b)) return a + b;
  if (a == b) return std::signbit(a) ? b : a;
  return a > b ? a : b;
}

inline long double minimum(long double a, long double b) { return -maximum(-a, -b); }

}  // namespace reference

// A lambda per width, because std's overload sets have no address.
#define GRADLOOM_REFERENCE(NAME, F, LO, HI, ULPS)                                             \
  UnaryReference {                                                                            \
    NAME, [](double x) { return double(F); }, [](long double x) { return (F); }, LO, HI, ULPS \
  }

inline constexpr UnaryReference unary_references[] = {
    GRADLOOM_REFERENCE("exp", std::exp(x), -10, 10, 2),
    GRADLOOM_REFERENCE("expm1", std::expm1(x), -2, 2, 4),
    GRADLOOM_REFERENCE("sinh", std::sinh(x), -5, 5, 4),
    GRADLOOM_REFERENCE("cosh", std::cosh(x), -5, 5, 4),
    GRADLOOM_REFERENCE("tanh", std::tanh(x), -5, 5, 2),
    GRADLOOM_REFERENCE("sigmoid", reference::sigmoid(x), -8, 8, 2),
    GRADLOOM_REFERENCE("log", std::log(x), 0.01, 100, 2),
    GRADLOOM_REFERENCE("log1p", std::log1p(x), -0.9, 10, 4),
    GRADLOOM_REFERENCE("softplus", reference::softplus(x), -8, 8, 4),
    GRADLOOM_REFERENCE("tanh_log1p", reference::tanh_log1p(x), 0.01, 100, 4),
    GRADLOOM_REFERENCE("tanh_log1p_slope", reference::tanh_log1p_slope(x), 0.01, 100, 4.1),
    GRADLOOM_REFERENCE("sin", std::sin(x), -10, 10, 4),
    GRADLOOM_REFERENCE("cos", std::cos(x), -10, 10, 4),
    GRADLOOM_REFERENCE("tan", std::tan(x), -10, 10, 4),
    GRADLOOM_REFERENCE("asin", std::asin(x), -1, 1, 4),
    GRADLOOM_REFERENCE("acos", std::acos(x), -1, 1, 4),
    GRADLOOM_REFERENCE("atan", std::atan(x), -5, 5, 4),
    GRADLOOM_REFERENCE("asinh", std::asinh(x), -5, 5, 3),
    GRADLOOM_REFERENCE("acosh", std::acosh(x), 1, 5, 3),
    GRADLOOM_REFERENCE("atanh", std::atanh(x), -1, 1, 3),
    GRADLOOM_REFERENCE("erf", std::erf(x), -3, 3, 4),
    GRADLOOM_REFERENCE("sqrt", std::sqrt(x), 0.01, 100, 0.501),
    GRADLOOM_REFERENCE("rsqrt", 1 / std::sqrt(x), 0.01, 100, 1.5),
    GRADLOOM_REFERENCE("reciprocal", 1 / x, 0.01, 100, 0.501),
    GRADLOOM_REFERENCE("floor", std::floor(x), -100, 100, 0),
    GRADLOOM_REFERENCE("ceil", std::ceil(x), -100, 100, 0),
    GRADLOOM_REFERENCE("round", std::nearbyint(x), -100, 100, 0),
    GRADLOOM_REFERENCE("trunc", std::trunc(x), -100, 100, 0),
    GRADLOOM_REFERENCE("abs", std::fabs(x), -100, 100, 0),
    GRADLOOM_REFERENCE("sign", reference::sign(x), -100, 100, 0),
};
#undef GRADLOOM_REFERENCE

inline constexpr BinaryReference binary_references[] = {
    {"pow", [](long double x, long double y) { return std::pow(x, y); }, 4},
    {"fmod", [](long double x, long double y) { return std::fmod(x, y); }, 0},
    {"mod", reference::mod, 0.501},
    {"maximum", reference::maximum, 0},
    {"minimum", reference::minimum, 0},
    {"copysign", [](long double x, long double y) { return std::copysign(x, y); }, 0},
};

inline const UnaryReference* find_unary_reference(std::string_view name) {
  for (const UnaryReference& r : unary_references) {
    if (r.name == name) return &r;
  }
  return nullptr;
}

inline const BinaryReference* find_binary_reference(std::string_view name) {
  for (const BinaryReference& r : binary_references) {
    if (r.name == name) return &r;
  }
  return nullptr;
}

/// Arguments of every kind in turn: any bit pattern (so all magnitudes, denormals, inf and nan), values of moderate
/// size, values near 1, small integers and halves. Same seed, same values (Steele et al. 2014, SplitMix64).
class RandomValues {
 public:
  explicit RandomValues(std::uint64_t seed) : state_(seed) {}

  template <class T>
  T next() {
    switch (turn_++ % 6) {
      case 0:
      case 1: {
        using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
        const Bits b = Bits(bits());
        T x;
        std::memcpy(&x, &b, sizeof(T));
        return x;
      }
      case 2:
        return uniform(T(-1), T(1));
      case 3:
        return uniform(T(-30), T(30));
      case 4:
        return T(1) + uniform(T(-0.01), T(0.01));
      default:
        return T(std::int64_t(bits() % 41) - 20) / 2;
    }
  }

  template <class T>
  T uniform(T lo, T hi) {
    return lo + (hi - lo) * T(double(bits() >> 11) * 0x1p-53);
  }

 private:
  std::uint64_t bits() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  std::uint64_t state_;
  std::uint64_t turn_ = 0;
};

}  // namespace gradloom::inline v0
