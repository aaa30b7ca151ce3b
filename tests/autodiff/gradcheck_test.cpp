#include "message_helper.hpp"
#include <gradloom/autodiff/custom_gradient.hpp>
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/ops/arithmetic.hpp>
#include <gradloom/ops/cast.hpp>
#include <gradloom/ops/stop_gradient.hpp>

#include <boost/test/unit_test.hpp>

using namespace gradloom;
using test::message_of;

namespace {

using Arguments = std::span<const Tensor>;

// x^2, whose gradient is 2x plus `error`; the second derivative stays right.
Tensor square_with_error(const Tensor& x, double error) {
  return custom_gradient(x * x, {x}, [&](Arguments in, const Tensor&, const Tensor& cotangent) {
    return std::vector<Tensor>{(2 * in[0] + error) * cotangent};
  });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(autodiff_gradcheck)

BOOST_AUTO_TEST_CASE(right_gradients_pass) {
  const auto report = gradcheck([](Arguments x) { return x[0] * x[1] / (x[0] * x[0] + 1) - x[1] * x[1] * x[1]; },
                                {Array::from<double>({0.5, -1, 2}), Array::from<double>({1, 2, 0})});
  BOOST_TEST(report.passed, report.message);
  BOOST_TEST(report.message == "");
  BOOST_TEST(report.worst < 1e-8);
}

BOOST_AUTO_TEST_CASE(points_of_f32_are_converted_and_integers_are_handed_on) {
  const auto report = gradcheck(
      [](Arguments x) {
        BOOST_TEST((x[0].dtype() == DType::f64));
        BOOST_TEST((x[1].dtype() == DType::i32));
        return x[0] * x[0] * x[1];
      },
      {Array::from<float>({0.5f, 3}), Array::from<int32_t>({2, 3})});
  BOOST_TEST(report.passed, report.message);
}

BOOST_AUTO_TEST_CASE(a_wrong_gradient_is_told_with_its_element_and_both_values) {
  const auto report = gradcheck([](Arguments x) { return x[0] + square_with_error(x[1], 0.5); },
                                {Array::from<double>({3}), Array::scalar(2.0)}, {.seed = 3});
  BOOST_TEST(!report);
  BOOST_TEST(report.worst > 0.05);
  const std::string start = "first order, argument 1, element []: the gradient is ";
  BOOST_TEST(report.message.starts_with(start));
  double analytic = 0, numeric = 0;
  BOOST_REQUIRE(
      std::sscanf(report.message.c_str() + start.size(), "%lf, the central difference %lf", &analytic, &numeric) == 2);
  BOOST_TEST(analytic / numeric == 4.5 / 4, boost::test_tools::tolerance(1e-6));  // both carry the same weight
}

BOOST_AUTO_TEST_CASE(a_wrong_second_order_is_told) {
  // 2x, but with an x that the second derivative does not see.
  const auto f = [](Arguments x) {
    return custom_gradient(x[0] * x[0], {x[0]}, [](Arguments in, const Tensor&, const Tensor& cotangent) {
      return std::vector<Tensor>{2 * stop_gradient(in[0]) * cotangent};
    });
  };
  const Array at = Array::from<double>({3});
  const auto report = gradcheck(f, {at});
  BOOST_TEST(report.message.starts_with("second order, argument 0, element [0]: "));
  BOOST_TEST(report.message.find('\n') == std::string::npos);
  BOOST_TEST(gradcheck(f, {at}, {.second_order = false}).passed);
}

BOOST_AUTO_TEST_CASE(a_nan_never_passes) {
  BOOST_TEST(!gradcheck([](Arguments x) { return x[0] / x[0]; }, {Array::scalar(0.0)}));
}

BOOST_AUTO_TEST_CASE(mistakes_are_errors) {
  BOOST_TEST(
      message_of([] { (void)gradcheck([](Arguments x) { return cast(x[0], DType::f32); }, {Array::scalar(1.0)}); }) ==
      "gradcheck: the function's result is no f64 Tensor made of its arguments\n"
      "  everything is computed in f64: a cast inside the function has no central differences");
  BOOST_TEST(message_of([] { (void)gradcheck([](Arguments x) { return x[0]; }, {Array::scalar<int32_t>(1)}); }) ==
             "gradcheck: no point is a float array");
}

BOOST_AUTO_TEST_SUITE_END()
