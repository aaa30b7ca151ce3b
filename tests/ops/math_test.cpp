// The element functions on every instruction set of this machine: special values, sampled errors, independent lanes.
// bench/ulp_functions.cpp measures over all floats; here a sample keeps the test under two seconds.
#include "math_reference_internal.hpp"

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <cstdio>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

namespace gradloom {
namespace {

constexpr long block = 64;

template <class T>
constexpr T inf = std::numeric_limits<T>::infinity();

/// Values where functions change their formula, over- or underflow, or have a special case, and their neighbours.
template <class T>
std::vector<T> special_values() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> positive = {0, Limits::denorm_min(), Limits::min(), Limits::epsilon(), T(0.25), T(0.41421356), T(0.5),
                             T(0.625), T(0.75), 1, T(1.5), 2, T(2.41421356), T(2.5), 3, 4, 6, 8388607, 8388608,
                             33554432, T(1.57079632679489662), T(3.14159265358979324), 1600, 1e5F, T(1.6e6), T(1e9),
                             1e10F,
                             // where exp, expm1, tanh, sinh and erf saturate, in float and in double
                             T(17.33), T(9.02), T(3.92), T(88.72283), T(88.72284), T(89.41598), T(89.416), T(103.278),
                             T(103.972), T(103.973), T(37.5), T(19.1), T(5.92), T(709.782712), T(709.782713),
                             T(710.475860), T(710.475861), T(745.133), T(745.134), Limits::max(), inf<T>};
  std::vector<T> values = {Limits::quiet_NaN()};
  for (T v : positive) {
    for (T w : {std::nextafter(v, T(0)), v, std::nextafter(v, inf<T>)}) {
      values.push_back(w);
      values.push_back(-w);
    }
  }
  while (values.size() % block != 0) values.push_back(1);
  return values;
}

template <class T>
UnaryLoop<T> loop_of(const UnaryMathKernel& k) {
  if constexpr (std::is_same_v<T, float>) {
    return k.f32;
  } else {
    return k.f64;
  }
}

template <class T>
BinaryLoop<T> loop_of(const BinaryMathKernel& k) {
  if constexpr (std::is_same_v<T, float>) {
    return k.f32;
  } else {
    return k.f64;
  }
}

/// The argument with the largest error, to report.
struct Worst {
  double ulps = 0;
  std::string at;
};

template <class T>
void update(Worst& worst, double ulps, T got, long double expected, T a, T b = 0) {
  if (ulps <= worst.ulps) return;
  char text[160];
  std::snprintf(text, sizeof text, "at (%a, %a): got %a, expected %La", double(a), double(b), double(got), expected);
  worst = {ulps, text};
}

template <class T>
Worst worst_unary(const UnaryMathKernel& kernel, const std::vector<T>& x) {
  const UnaryReference& reference = *find_unary_reference(kernel.name);
  std::vector<T> y(x.size());
  loop_of<T>(kernel)(x.data(), y.data(), long(x.size()));
  Worst worst;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const long double expected = reference.f80(x[i]);
    update(worst, ulp_error(y[i], expected), y[i], expected, x[i]);
  }
  return worst;
}

template <class T>
Worst worst_binary(const BinaryMathKernel& kernel, const std::vector<T>& a, const std::vector<T>& b) {
  const BinaryReference& reference = *find_binary_reference(kernel.name);
  std::vector<T> y(a.size());
  loop_of<T>(kernel)(a.data(), b.data(), y.data(), long(a.size()));
  Worst worst;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const long double expected = reference.f80(a[i], b[i]);
    update(worst, ulp_error(y[i], expected), y[i], expected, a[i], b[i]);
  }
  return worst;
}

template <class T>
std::vector<T> random_values(std::uint64_t seed, std::size_t n) {
  RandomValues random(seed);
  std::vector<T> x(n);
  for (T& v : x) v = random.next<T>();
  return x;
}

const UnaryMathKernel& unary(const MathKernels& kernels, std::string_view name) {
  for (const UnaryMathKernel& k : kernels.unary) {
    if (k.name == name) return k;
  }
  throw std::runtime_error("no such function: " + std::string(name));
}

const BinaryMathKernel& binary(const MathKernels& kernels, std::string_view name) {
  for (const BinaryMathKernel& k : kernels.binary) {
    if (k.name == name) return k;
  }
  throw std::runtime_error("no such function: " + std::string(name));
}

template <class T>
T call(const MathKernels& kernels, std::string_view name, T x) {
  const std::vector<T> xs(block, x);
  std::vector<T> ys(block);
  loop_of<T>(unary(kernels, name))(xs.data(), ys.data(), block);
  return ys[0];
}

template <class T>
T call(const MathKernels& kernels, std::string_view name, T a, T b) {
  const std::vector<T> as(block, a), bs(block, b);
  std::vector<T> ys(block);
  loop_of<T>(binary(kernels, name))(as.data(), bs.data(), ys.data(), block);
  return ys[0];
}

template <class T>
void check_errors(const MathKernels& kernels) {
  const std::vector<T> special = special_values<T>();
  const std::vector<T> a = random_values<T>(1, 8192), b = random_values<T>(2, 8192);
  for (const UnaryMathKernel& k : kernels.unary) {
    const double bound = find_unary_reference(k.name)->ulps;
    for (const Worst& worst : {worst_unary(k, special), worst_unary(k, a)}) {
      BOOST_TEST(worst.ulps <= bound, kernels.isa << " " << k.name << ": " << worst.ulps << " ULP " << worst.at);
    }
  }
  std::vector<T> all_a, all_b;  // every special value with every other
  for (T x : special) {
    all_a.insert(all_a.end(), special.size(), x);
    all_b.insert(all_b.end(), special.begin(), special.end());
  }
  for (const BinaryMathKernel& k : kernels.binary) {
    const double bound = find_binary_reference(k.name)->ulps;
    for (const Worst& worst : {worst_binary(k, all_a, all_b), worst_binary(k, a, b)}) {
      BOOST_TEST(worst.ulps <= bound, kernels.isa << " " << k.name << ": " << worst.ulps << " ULP " << worst.at);
    }
  }
}

/// Shifting the arguments by a lane shifts the results, to the bit: with nan, huge and ordinary neighbours.
template <class T>
void check_lanes(const MathKernels& kernels) {
  std::vector<T> x = special_values<T>();
  const long n = long(x.size());
  std::vector<T> rotated(x.begin() + 1, x.end());
  rotated.push_back(x[0]);
  std::vector<T> reversed(x.rbegin(), x.rend());
  std::vector<T> reversed_rotated(rotated.rbegin(), rotated.rend());
  std::vector<T> y(x.size()), z(x.size());
  auto same = [&] {
    for (long i = 0; i < n; ++i) {
      const T after = z[std::size_t((i + n - 1) % n)];
      if (std::isnan(after) && std::isnan(y[std::size_t(i)])) continue;
      if (std::memcmp(&after, &y[std::size_t(i)], sizeof(T)) != 0) return false;
    }
    return true;
  };
  for (const UnaryMathKernel& k : kernels.unary) {
    loop_of<T>(k)(x.data(), y.data(), n);
    loop_of<T>(k)(rotated.data(), z.data(), n);
    BOOST_TEST(same(), kernels.isa << " " << k.name);
  }
  for (const BinaryMathKernel& k : kernels.binary) {
    std::vector<T> second(reversed), second_rotated(reversed.begin() + 1, reversed.end());
    second_rotated.push_back(reversed[0]);
    loop_of<T>(k)(x.data(), second.data(), y.data(), n);
    loop_of<T>(k)(rotated.data(), second_rotated.data(), z.data(), n);
    BOOST_TEST(same(), kernels.isa << " " << k.name);
  }
}

BOOST_AUTO_TEST_SUITE(ops_math)

BOOST_AUTO_TEST_CASE(errors_stay_within_their_bounds) {
  for (const MathKernels* kernels : runnable_math_kernels()) {
    check_errors<float>(*kernels);
    check_errors<double>(*kernels);
  }
}

BOOST_AUTO_TEST_CASE(lanes_are_independent) {
  for (const MathKernels* kernels : runnable_math_kernels()) {
    check_lanes<float>(*kernels);
    check_lanes<double>(*kernels);
  }
}

// The reference would hide a mistake it shares with us; these are written out.
BOOST_AUTO_TEST_CASE(values_known_by_heart) {
  for (const MathKernels* kernels : runnable_math_kernels()) {
    const MathKernels& k = *kernels;
    BOOST_TEST_CONTEXT(k.isa) {
      BOOST_TEST(call(k, "exp", 0.0F) == 1.0F);
      BOOST_TEST(call(k, "exp", -inf<float>) == 0.0F);
      BOOST_TEST(call(k, "exp", 88.7228F) < inf<float>);
      BOOST_TEST(call(k, "exp", 88.7229F) == inf<float>);
      BOOST_TEST(call(k, "exp", -103.9F) == std::numeric_limits<float>::denorm_min());
      BOOST_TEST(call(k, "log", 1.0) == 0.0);
      BOOST_TEST(call(k, "log", -0.0) == -inf<double>);
      BOOST_TEST(std::isnan(call(k, "log", -1.0)));
      BOOST_TEST(std::signbit(call(k, "log1p", -0.0F)));
      BOOST_TEST(std::signbit(call(k, "tanh", -0.0F)));
      BOOST_TEST(call(k, "tanh", -inf<double>) == -1.0);
      BOOST_TEST(std::signbit(call(k, "asinh", -0.0F)));
      BOOST_TEST(call(k, "asinh", std::numeric_limits<double>::max()) < inf<double>);
      BOOST_TEST(call(k, "acosh", 1.0F) == 0.0F);
      BOOST_TEST(std::isnan(call(k, "acosh", -2.0)));
      BOOST_TEST(call(k, "atanh", -1.0F) == -inf<float>);
      BOOST_TEST(std::isnan(call(k, "atanh", 1e9F)));
      BOOST_TEST(call(k, "sigmoid", 0.0F) == 0.5F);
      BOOST_TEST(call(k, "softplus", inf<float>) == inf<float>);
      BOOST_TEST(call(k, "erf", inf<double>) == 1.0);
      BOOST_TEST(std::isnan(call(k, "sin", inf<float>)));
      BOOST_TEST(call(k, "round", 2.5F) == 2.0F);
      BOOST_TEST(call(k, "round", -3.5) == -4.0);
      BOOST_TEST(call(k, "sign", -7.0F) == -1.0F);
      BOOST_TEST(call(k, "mod", -1.0F, 3.0F) == 2.0F);
      BOOST_TEST(call(k, "mod", 1.0, -3.0) == -2.0);
      BOOST_TEST(call(k, "mod", -1.0, inf<double>) == inf<double>);
      BOOST_TEST(std::signbit(call(k, "mod", 6.0F, -3.0F)));
      BOOST_TEST(!std::signbit(call(k, "maximum", -0.0F, 0.0F)));
      BOOST_TEST(std::signbit(call(k, "minimum", 0.0F, -0.0F)));
      BOOST_TEST(std::isnan(call(k, "maximum", std::nanf(""), 1.0F)));
      BOOST_TEST(std::isnan(call(k, "minimum", 1.0, std::nan(""))));
    }
  }
}

// IEEE 754-2019 9.2.1, and exactness where a float can hold the power.
BOOST_AUTO_TEST_CASE(pow_of_special_and_integer_arguments) {
  for (const MathKernels* kernels : runnable_math_kernels()) {
    const MathKernels& k = *kernels;
    BOOST_TEST_CONTEXT(k.isa) {
      BOOST_TEST(call(k, "pow", std::nanf(""), 0.0F) == 1.0F);
      BOOST_TEST(call(k, "pow", 1.0, std::nan("")) == 1.0);
      BOOST_TEST(call(k, "pow", -1.0, inf<double>) == 1.0);
      BOOST_TEST(call(k, "pow", -0.0F, -3.0F) == -inf<float>);
      BOOST_TEST(call(k, "pow", -0.0F, -2.0F) == inf<float>);
      BOOST_TEST(call(k, "pow", -inf<double>, 0.5) == inf<double>);
      BOOST_TEST(std::isnan(call(k, "pow", -8.0, 1.0 / 3.0)));
      BOOST_TEST(call(k, "pow", 0.5F, -inf<float>) == inf<float>);
      float power = 1;
      for (int n = 0; n <= 15; ++n, power *= -3) BOOST_TEST(call(k, "pow", -3.0F, float(n)) == power);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace gradloom
