// Every op's gradient rule, of first and second order, against central differences in double, at the samples
// that the op calls differentiable. A new op is tested by being there.
#include "math_reference_internal.hpp"
#include <gradloom/autodiff/gradcheck.hpp>
#include <gradloom/graph/graph.hpp>
#include <gradloom/graph/op_def.hpp>
#include <gradloom/ops/op_table.hpp>
#include <gradloom/ops/sample.hpp>

#include <boost/test/unit_test.hpp>

#include <cmath>

using namespace gradloom;

namespace {

template <class T>
Array random_array(RandomValues& random, const SampleInput& range) {
  const Array array = Array::uninitialized(range.sizes, dtype_of<T>);
  for (T& value : array.data<T>()) {
    if constexpr (std::is_same_v<T, double>) {
      value = random.uniform<double>(range.low, range.high);
    } else {
      value = static_cast<T>(std::floor(random.uniform<double>(std::ceil(range.low), std::floor(range.high) + 1)));
    }
  }
  return array;
}

/// Floats in double, since finite differences in f32 tell little.
Array random_array(RandomValues& random, const SampleInput& range) {
  switch (range.dtype) {
    case DType::boolean:
      return random_array<bool>(random, range);
    case DType::u8:
      return random_array<uint8_t>(random, range);
    case DType::i32:
      return random_array<int32_t>(random, range);
    case DType::i64:
      return random_array<int64_t>(random, range);
    default:
      return random_array<double>(random, range);
  }
}

bool gives_doubles(const OpDef& op, const Sample& sample) {
  Graph g;
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < sample.inputs.size(); ++i) {
    const SampleInput& input = sample.inputs[i];
    inputs.push_back(g.input(std::to_string(i), Shape(std::vector<Dim>(input.sizes.begin(), input.sizes.end())),
                             is_float(input.dtype) ? DType::f64 : input.dtype));
  }
  return g.add(op, inputs, sample.attributes, {}).dtype() == DType::f64;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ops_gradient_conformance)

BOOST_AUTO_TEST_CASE(gradients_agree_with_finite_differences) {
  for (const OpDef* op : all_ops()) {
    if (op->vjp == nullptr || op->samples == nullptr) continue;
    RandomValues random(1);
    for (const Sample& sample : op->samples()) {
      if (!sample.differentiable || !gives_doubles(*op, sample)) continue;
      std::vector<Array> points;
      for (const SampleInput& input : sample.inputs) points.push_back(random_array(random, input));
      const auto apply = [&](std::span<const Tensor> x) { return x[0].graph().add(*op, x, sample.attributes, {}); };
      const GradcheckReport report = gradcheck(apply, points);
      BOOST_TEST(report.passed, op->name << ": " << report.message);
    }
  }
}

BOOST_AUTO_TEST_CASE(every_op_has_a_gradient_or_says_why_not) {
  for (const OpDef* op : all_ops()) BOOST_TEST((op->vjp != nullptr) != !op->no_gradient.empty(), op->name);
}

BOOST_AUTO_TEST_SUITE_END()
